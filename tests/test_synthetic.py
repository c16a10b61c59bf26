"""合成数据：形状和类型与真实的一样，每一节的道理看得到；换成噪声就看不到了"""

from common import synthetic

import keras
import numpy as np
import pytest
from keras import layers

MAKERS = ["make_mnist", "make_imdb", "make_reuters", "make_boston"]


@pytest.fixture(scope="module")
def data():
    """四个数据集各生成一次，大家共用"""
    return {name: getattr(synthetic, name)() for name in MAKERS}


def multi_hot(sequences, dimension=10_000):
    results = np.zeros((len(sequences), dimension), dtype="uint8")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1
    return results


def fit(hidden, outputs, activation, loss, x, y, **options):
    """训练一个密集连接网络，返回 (网络, history)"""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((x.shape[1],))])
    for units in hidden:
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(outputs, activation=activation))
    metrics = ["accuracy"]
    model.compile("rmsprop", loss, metrics=metrics, steps_per_execution=20)
    return model, model.fit(x, y, verbose=0, **options).history


# %% 形状、类型、可重复


@pytest.mark.parametrize(
    ("name", "shapes", "dtypes"),
    [
        (
            "make_mnist",
            [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)],
            ["uint8"] * 4,
        ),
        ("make_imdb", [(25000,)] * 4, ["object", "int64"] * 2),
        (
            "make_reuters",
            [(8982,), (8982,), (2246,), (2246,)],
            ["object", "int64"] * 2,
        ),
        ("make_boston", [(404, 13), (404,), (102, 13), (102,)], ["float64"] * 4),
    ],
)
def test_shapes_and_dtypes_are_the_real_ones(data, name, shapes, dtypes):
    arrays = [array for pair in data[name] for array in pair]
    assert [array.shape for array in arrays] == shapes
    assert [str(array.dtype) for array in arrays] == dtypes


@pytest.mark.parametrize("name", ["make_reuters", "make_boston"])
def test_same_seed_same_data(data, name):
    again = getattr(synthetic, name)()
    other = getattr(synthetic, name)(seed=1)
    for (x, y), (x_again, y_again) in zip(data[name], again):
        np.testing.assert_array_equal(y, y_again)
        assert all(np.array_equal(a, b) for a, b in zip(x, x_again))
    assert not np.array_equal(data[name][0][1], other[0][1])


def test_same_seed_same_digits(data):
    rng, labels = np.random.default_rng(3), np.arange(10, dtype="uint8")
    templates = synthetic._digit_templates()
    first = synthetic._draw_digits(rng, templates, labels)
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(
        first, synthetic._draw_digits(rng, templates, labels)
    )
    assert not np.array_equal(first, synthetic._draw_digits(rng, templates, labels))


@pytest.mark.parametrize("name", ["make_imdb", "make_reuters"])
def test_word_ids_are_like_keras(data, name):
    for x, _ in data[name]:
        assert all(type(sequence) is list for sequence in x)
        assert all(type(i) is int for i in x[0])
        assert all(sequence[0] == 1 and len(sequence) > 10 for sequence in x)
        used = {i for sequence in x for i in sequence}
        assert max(used) == 9999 and 2 in used
        assert not {0, 3} & used  # 同真实数据：0 是填充，3 不代表任何词


def test_num_words():
    (x, _), _ = synthetic.make_reuters(50)
    assert max(max(sequence) for sequence in x) == 49
    (everything, _), _ = synthetic.make_reuters(None)
    assert max(max(sequence) for sequence in everything) > 10_000
    assert not any(2 in sequence for sequence in everything)
    cut = [[i if i < 50 else 2 for i in sequence] for sequence in everything]
    assert cut == list(x)


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_every_word_can_be_decoded(name):
    index = getattr(synthetic, f"{name}_word_index")()
    assert sorted(index.values()) == list(range(1, 20_001))
    assert all(word.isalnum() for word in index)


def test_labels(data):
    for _, y in data["make_imdb"]:
        np.testing.assert_array_equal(np.bincount(y), [12500, 12500])
        assert 0.4 < y[:1000].mean() < 0.6  # 打乱过
    y = data["make_reuters"][0][1]
    share = np.bincount(y, minlength=46) / len(y)
    assert share.argmax() == 3 and share.min() > 0
    assert 0.3 < share[3] < 0.4 and 0.17 < share[4] < 0.27


def test_marked_words_lean_the_right_way(data):
    """褒义词在正面评论里多，贬义词在负面评论里多，还原出来读得懂"""
    (x, y), _ = data["make_imdb"]
    counts = multi_hot(x[:4000])
    index = synthetic.imdb_word_index()
    positive, negative = counts[y[:4000] == 1].mean(0), counts[y[:4000] == 0].mean(0)
    for word, sign in [("excellent", 1), ("great", 1), ("awful", -1), ("boring", -1)]:
        column = index[word] + 3
        assert (positive[column] - negative[column]) * sign > 0.03


def test_boston_columns_are_plausible(data):
    (x, y), _ = data["make_boston"]
    assert x.min() >= 0 and 5 <= y.min() and y.max() == 50
    assert 18 < y.mean() < 27 and 7 < y.std() < 12
    crim, chas, rm, lstat = x[:, 0], x[:, 3], x[:, 5], x[:, 12]
    assert set(chas) == {0.0, 1.0}
    assert np.corrcoef(rm, y)[0, 1] > 0.5 and np.corrcoef(lstat, y)[0, 1] < -0.5
    assert np.corrcoef(crim, y)[0, 1] < -0.2


# %% 每一节的道理


def test_digits_can_be_learned_but_not_perfectly(data):
    (x, y), (x_test, y_test) = data["make_mnist"]
    x = x[:20_000].reshape(-1, 784) / np.float32(255)
    x_test = x_test.reshape(-1, 784) / np.float32(255)
    loss = "sparse_categorical_crossentropy"
    model, history = fit(
        [512], 10, "softmax", loss, x, y[:20_000], epochs=5, batch_size=128
    )
    test_acc = model.evaluate(x_test, y_test, batch_size=10_000, verbose=0)[1]
    assert 0.95 < test_acc < 0.99
    assert history["accuracy"][-1] > test_acc + 0.005  # 这个差距就是过拟合


def test_reviews_show_overfitting(data):
    (x, y), _ = data["make_imdb"]
    x, y = multi_hot(x[:15_000]), y[:15_000].astype("float32")
    _, history = fit(
        [16, 16],
        1,
        "sigmoid",
        "binary_crossentropy",
        x[5_000:],
        y[5_000:],
        epochs=14,
        batch_size=512,
        validation_data=(x[:5_000], y[:5_000]),
    )
    val_loss = history["val_loss"]
    best = int(np.argmin(val_loss)) + 1
    assert 2 <= best <= 8
    assert val_loss[0] > val_loss[best - 1] * 1.2 < val_loss[-1]
    assert 0.8 < max(history["val_accuracy"]) < 0.95 < history["accuracy"][-1]


def test_four_units_are_a_bottleneck(data):
    (x, y), _ = data["make_reuters"]
    x = multi_hot(x)
    best = {}
    for units, batch_size, epochs in [(64, 512, 10), (4, 128, 8)]:
        _, history = fit(
            [64, units],
            46,
            "softmax",
            "sparse_categorical_crossentropy",
            x[1000:],
            y[1000:],
            epochs=epochs,
            batch_size=batch_size,
            validation_data=(x[:1000], y[:1000]),
        )
        best[units] = max(history["val_accuracy"])
    assert 0.7 < best[64] < 0.9
    assert best[64] - best[4] > 0.05


def test_price_error_is_like_the_book(data):
    (x, y), (x_test, y_test) = data["make_boston"]
    mean, std = x.mean(axis=0), x.std(axis=0)
    x, x_test = (x - mean) / std, (x_test - mean) / std
    model, _ = fit([64, 64], 1, None, "mse", x, y, epochs=80, batch_size=16)
    mae = np.abs(model.predict(x_test, verbose=0)[:, 0] - y_test).mean()
    weights = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y)[0]
    linear = np.abs(np.c_[x_test, np.ones(len(x_test))] @ weights - y_test).mean()
    guess = np.abs(y.mean() - y_test).mean()
    assert 1.8 < mae < 3.2
    assert mae < 0.9 * linear < 0.6 * guess  # 关系是非线性的，网络比直线强
