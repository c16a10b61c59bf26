"""合成数据也要讲得出书中的道理：真的训练缩小的网络；每个脚本作为真正的进程跑一遍

几分钟，平时不跑：python -m pytest -m slow
"""

import subprocess

from common import datasets, synthetic

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import SCRIPTS
from keras import layers
from look import images
from test_startup import real_process

pytestmark = pytest.mark.slow
make_frogs = synthetic.make_frogs  # run_tiny 会换成微型的


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    monkeypatch.setenv("DLPY_DATA", "synthetic")


def fit(network, loss, x, y, **options):
    """从头训练，返回 (网络, history)"""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(x.shape[1:]), *network()])
    model.compile("rmsprop", loss, metrics=["accuracy"], steps_per_execution=16)
    return model, model.fit(x, y, verbose=0, **options).history


def dense(*units, last="softmax"):
    hidden = [layers.Dense(n, activation="relu") for n in units[:-1]]
    return [layers.Flatten(), *hidden, layers.Dense(units[-1], activation=last)]


def convolutions(*filters):
    for n in filters:
        yield layers.Conv2D(n, 3, activation="relu")
        yield layers.MaxPooling2D()


def multi_hot(sequences):
    results = np.zeros((len(sequences), 10_000), dtype="uint8")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1
    return results


def test_digits():
    """2.1 节：测试精度高，但比训练精度低；5.1 节：卷积神经网络错得少得多"""
    (x, y), (x_test, y_test) = datasets.load_mnist()
    x = x[:20_000, :, :, None] / np.float32(255)
    y, x_test = y[:20_000], x_test[..., None] / np.float32(255)
    loss, errors = "sparse_categorical_crossentropy", []
    for network in (
        lambda: dense(512, 10),
        lambda: [*convolutions(32, 64), *dense(64, 10)],
    ):
        model, history = fit(network, loss, x, y, epochs=5, batch_size=128)
        test_acc = model.evaluate(x_test, y_test, batch_size=1000, verbose=0)[1]
        errors.append(1 - test_acc)
        if len(errors) == 1:
            assert history["accuracy"][-1] > test_acc + 0.01
    print(errors)
    assert 0.02 < errors[0] < 0.1 and errors[1] < 0.6 * errors[0]


def test_reviews_show_overfitting():
    """3.4 节：验证损失先降后升，训练精度一直升到接近 1"""
    (x, y), _ = datasets.load_imdb(10_000)
    x, y = multi_hot(x[:15_000]), y[:15_000].astype("float32")
    options = {"epochs": 12, "batch_size": 512}
    options["validation_data"] = x[10_000:], y[10_000:]
    data = "binary_crossentropy", x[:10_000], y[:10_000]
    _, history = fit(lambda: dense(16, 16, 1, last="sigmoid"), *data, **options)
    val_loss = history["val_loss"]
    best = int(np.argmin(val_loss))
    print(val_loss, max(history["val_accuracy"]))
    assert 1 <= best <= 7
    assert val_loss[0] > 1.15 * val_loss[best] and val_loss[-1] > 1.25 * val_loss[best]
    assert 0.82 < max(history["val_accuracy"]) < 0.91
    assert history["accuracy"][-1] > 0.98


def test_newswires_overfit_and_four_units_are_a_bottleneck():
    """3.5 节：验证损失先降后升；中间层只有 4 个单元，验证精度明显低"""
    (x, y), _ = datasets.load_reuters(10_000)
    x = multi_hot(x)
    data = "sparse_categorical_crossentropy", x[1000:], y[1000:]
    options = {"validation_data": (x[:1000], y[:1000])}
    wide = fit(lambda: dense(64, 64, 46), *data, epochs=18, batch_size=512, **options)[
        1
    ]
    narrow = fit(lambda: dense(64, 4, 46), *data, epochs=8, batch_size=128, **options)[
        1
    ]
    best, low = max(wide["val_accuracy"]), max(narrow["val_accuracy"])
    print(wide["val_loss"], best, low)
    assert 7 <= np.argmin(wide["val_loss"]) + 1 <= 16
    assert wide["val_loss"][-1] > 1.03 * min(wide["val_loss"])
    assert wide["accuracy"][-1] > best + 0.1
    assert 0.75 < best < 0.88 and best - low > 0.05


def photos(start, stop):
    """编号从 start 到 stop 的猫和狗，(n, 64, 64, 3) 的 uint8 和 (n, 1) 的标签"""
    keys = [(0, label, number) for number in range(start, stop) for label in (0, 1)]
    drawn = [synthetic.draw_photo(k[1], np.random.default_rng(k)) for k in keys]
    images = np.stack([np.asarray(photo.resize((64, 64))) for photo in drawn])
    return images, np.array([[label] for _, label, _ in keys], "float32")


def test_augmentation_helps_on_the_photos():
    """5.2 节：没有数据增强就过拟合；有了它，训练精度低了，验证精度高了"""
    train, validation = photos(0, 500), photos(1000, 1250)
    nearest = {"fill_mode": "nearest", "interpolation": "nearest"}
    augmentation = [layers.RandomRotation(40 / 360, **nearest)]
    augmentation.append(layers.RandomTranslation(0.2, 0.2, **nearest))
    augmentation.append(layers.RandomShear(0.2, **nearest))
    augmentation.append(layers.RandomZoom(0.2, 0.2, **nearest))
    augmentation = keras.Sequential([*augmentation, layers.RandomFlip("horizontal")])
    plain = tf.data.Dataset.from_tensor_slices(train).shuffle(1000).batch(20)
    augmented = plain.map(lambda x, y: (augmentation(x, training=True), y))
    results = []
    for dataset, dropout, epochs in [(plain, 0.0, 15), (augmented, 0.5, 60)]:
        keras.utils.set_random_seed(0)  # 5.2 节的网络，少一组卷积和池化
        network = [keras.Input((64, 64, 3)), layers.Rescaling(1 / 255)]
        network += [*convolutions(32, 64, 64), layers.Dropout(dropout)]
        model = keras.Sequential([*network, *dense(128, 1, last="sigmoid")])
        optimizer = keras.optimizers.RMSprop(5e-4, epsilon=1e-14)
        model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
        options = {"validation_data": validation, "validation_batch_size": 100}
        options |= {"epochs": epochs, "shuffle": False, "verbose": 0}
        history = model.fit(dataset.prefetch(2), **options).history
        keys = ("accuracy", "val_accuracy")
        results.append([np.mean(history[key][-5:]) for key in keys])
    (plain_train, plain_val), (augmented_train, augmented_val) = results
    print(results)
    assert plain_train > 0.85 and plain_val < plain_train - 0.1
    assert augmented_train < augmented_val + 0.05
    assert augmented_val > plain_val + 0.03


def test_gru_beats_the_naive_method_on_the_weather():
    """6.3 节：GRU 看得到过去，明显好于基准方法；逆序读明显更差"""
    table = synthetic.make_jena().to_numpy()
    table = (table - table[:200_000].mean(axis=0)) / table[:200_000].std(axis=0)
    data, offsets = tf.constant(table, "float32"), tf.range(-480, 0, 6, dtype="int64")

    def windows(rows):
        samples = tf.gather(data, rows[:, None] + offsets)
        return samples, tf.gather(data[:, 1], rows + 144)

    rows = np.random.default_rng(0).integers(1440, 200_000, (3000, 128))
    train = tf.data.Dataset.from_tensor_slices(rows).map(windows)
    validation = tf.data.Dataset.range(201_441, 300_000, 20).batch(1000).map(windows)
    pairs = validation.as_numpy_iterator()
    naive = np.mean([np.abs(x[:, -1, 1] - y).mean() for x, y in pairs])

    def mae(train, validation):
        keras.utils.set_random_seed(0)
        network = [keras.Input((80, 14)), layers.GRU(32), layers.Dense(1)]
        model = keras.Sequential(network)
        model.compile("rmsprop", "mae", jit_compile=True)
        options = {"epochs": 6, "steps_per_epoch": 500, "validation_data": validation}
        history = model.fit(train, **options, shuffle=False, verbose=0).history
        return min(history["val_loss"])  # 只看最后一轮，上下跳动太大

    forward = mae(train, validation)
    backward = mae(*(d.map(lambda x, y: (x[:, ::-1], y)) for d in (train, validation)))
    print(naive, forward, backward)
    assert 0.25 < naive < 0.33
    assert forward < 0.93 * naive and backward > forward + 0.02


def test_ruler_ranks_frogs_and_sees_collapse(monkeypatch, run_tiny):
    """8.5 节的核距离：随机像素 > 掺了很多 > 掺了一些 > 新的青蛙；反复画同一只，很远"""
    frogs, fresh = make_frogs(1000), make_frogs(200, seed=1)
    monkeypatch.setattr(synthetic, "make_frogs", lambda: frogs)
    ns = run_tiny("8_5_gan.py", ITERATIONS=1, RULER_EPOCHS=8)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, fresh.shape)
    # 青蛙里掺随机的像素，当作训练的早期和晚期画的
    sets = [share * noise + (1 - share) * fresh for share in (1, 0.3, 0.1, 0)]
    sets.append(fresh[:1] + rng.normal(0, 3, fresh.shape))
    *distances, same = [ns["kernel_distance"](images, ns["real"]) for images in sets]
    print(distances, same)
    assert distances[0] > 1.5 * distances[1] and distances[1] > 3 * distances[2]
    assert distances[2] > 5 * abs(distances[3]) and same > 20 * abs(distances[3])


@pytest.mark.parametrize("script", SCRIPTS)
def test_as_a_real_process(script, tmp_path):
    """在别的文件夹里、没有图形界面、控制台是 GBK：跑到最后一行，标准错误是空的"""
    process = subprocess.run(**real_process(tmp_path, script), capture_output=True)
    out, err = process.stdout.decode("gbk"), process.stderr.decode("gbk")
    assert (process.returncode, err) == (0, "")
    assert "书中" in out and images(tmp_path / "输出" / script.removesuffix(".py"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["输出"]
