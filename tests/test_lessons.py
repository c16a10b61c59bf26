"""合成数据也要讲得出书中的道理：缩小了训练真正的网络，几分钟，平时不跑

python -m pytest -m slow
"""

from common import synthetic_photos, synthetic_weather

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

pytestmark = pytest.mark.slow


def photos(start, stop, size):
    """编号从 start 到 stop 的猫和狗，(n, size, size, 3) 的 uint8 和 (n, 1) 的标签"""
    keys = [(0, label, number) for number in range(start, stop) for label in (0, 1)]
    images = [
        synthetic_photos.draw(key[1], np.random.default_rng(key), size) for key in keys
    ]
    return np.stack(images), np.array([[label] for _, label, _ in keys], "float32")


def convnet(size, dropout):
    """5.2 节的网络，少一组卷积和池化"""
    model = keras.Sequential([keras.Input((size, size, 3)), layers.Rescaling(1 / 255)])
    for filters in (32, 64, 64):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dropout(dropout))
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.RMSprop(5e-4, epsilon=1e-14)
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def test_augmentation_helps_on_the_stand_in_photos():
    """5.2 节：没有数据增强就过拟合；有了它，训练精度低了，验证精度高了"""
    train, validation = photos(0, 500, 64), photos(1000, 1250, 64)
    nearest = {"fill_mode": "nearest", "interpolation": "nearest"}
    augmentation = keras.Sequential(
        [
            layers.RandomRotation(40 / 360, **nearest),
            layers.RandomTranslation(0.2, 0.2, **nearest),
            layers.RandomShear(0.2, **nearest),
            layers.RandomZoom(0.2, 0.2, **nearest),
            layers.RandomFlip("horizontal"),
        ]
    )
    plain = tf.data.Dataset.from_tensor_slices(train).shuffle(1000).batch(20)
    augmented = plain.map(lambda x, y: (augmentation(x, training=True), y))
    results = []
    for dataset, dropout, epochs in [(plain, 0.0, 15), (augmented, 0.5, 60)]:
        keras.utils.set_random_seed(0)
        history = convnet(64, dropout).fit(
            dataset.prefetch(2),
            epochs=epochs,
            validation_data=validation,
            validation_batch_size=100,
            shuffle=False,
            verbose=2,
        )
        keys = ("accuracy", "val_accuracy")
        results.append([np.mean(history.history[key][-5:]) for key in keys])
    (plain_train, plain_val), (augmented_train, augmented_val) = results
    print(results)
    assert plain_train > 0.85 and plain_val < plain_train - 0.1
    assert augmented_train < augmented_val + 0.05
    assert augmented_val > plain_val + 0.03


def test_gru_beats_the_naive_method_on_the_stand_in_weather():
    """6.3 节：常识方法 0.25 到 0.33；GRU 看得到过去，明显更好；逆序读明显更差"""
    table = synthetic_weather.make_jena().to_numpy()
    table = (table - table[:200_000].mean(axis=0)) / table[:200_000].std(axis=0)
    data, offsets = tf.constant(table, "float32"), tf.range(-480, 0, 6, dtype="int64")

    def windows(rows):
        return tf.gather(data, rows[:, None] + offsets), tf.gather(
            data[:, 1], rows + 144
        )

    rng = np.random.default_rng(0)
    train = tf.data.Dataset.from_tensor_slices(rng.integers(1440, 200_000, (3000, 128)))
    validation = tf.data.Dataset.range(201_441, 300_000, 20).batch(1000)
    train, validation = (dataset.map(windows) for dataset in (train, validation))
    naive = np.mean(
        [np.abs(x[:, -1, 1] - y).mean() for x, y in validation.as_numpy_iterator()]
    )
    assert 0.25 < naive < 0.33

    def mae(train, validation):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((80, 14)), layers.GRU(32), layers.Dense(1)]
        )
        model.compile("rmsprop", "mae", jit_compile=True)
        # 每轮 500 批、取最低的一轮，同书中；只看最后一步，上下跳动太大
        history = model.fit(
            train,
            epochs=6,
            steps_per_epoch=500,
            validation_data=validation,
            shuffle=False,
            verbose=2,
        )
        return min(history.history["val_loss"])

    forward = mae(train, validation)
    backward = mae(*(d.map(lambda x, y: (x[:, ::-1], y)) for d in (train, validation)))
    print(naive, forward, backward)
    assert forward < 0.93 * naive
    assert backward > forward + 0.02
