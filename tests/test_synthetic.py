"""合成数据：形状和类型与真实的一样，每一节的道理看得到；换成噪声就看不到了"""

from common import synthetic

import keras
import numpy as np
import pytest
from keras import layers

SHAPES = {
    "mnist": [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)],
    "imdb": [(25000,)] * 4,
    "reuters": [(8982,), (8982,), (2246,), (2246,)],
    "boston": [(404, 13), (404,), (102, 13), (102,)],
}
DTYPES = {
    "mnist": ["uint8", "uint8"],
    "imdb": ["object", "int64"],
    "reuters": ["object", "int64"],
    "boston": ["float64", "float64"],
}


@pytest.fixture(scope="module")
def data():
    """四个数据集各生成一次，大家共用"""
    return {name: getattr(synthetic, f"make_{name}")() for name in SHAPES}


def multi_hot(sequences):
    results = np.zeros((len(sequences), 10_000), dtype="uint8")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1
    return results


def fit(units, outputs, activation, loss, x, y, **options):
    """从头训练一个密集连接网络，返回 (网络, history)"""
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(n, activation="relu") for n in units]
    model = keras.Sequential([keras.Input((x.shape[1],)), *hidden])
    model.add(layers.Dense(outputs, activation=activation))
    metric = "mae" if loss == "mse" else "accuracy"
    model.compile("rmsprop", loss, metrics=[metric], steps_per_execution=16)
    return model, model.fit(x, y, verbose=0, **options).history


# %% 形状、类型、可重复


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_and_dtypes_are_the_real_ones(data, name):
    """形状和类型与真实数据相同，脚本不必区分"""
    arrays = [array for pair in data[name] for array in pair]
    assert [array.shape for array in arrays] == SHAPES[name]
    assert [str(array.dtype) for array in arrays] == DTYPES[name] * 2


@pytest.mark.parametrize("name", SHAPES)
def test_same_seed_same_data(data, name):
    """种子相同，数据逐个相同；种子不同，数据不同"""
    again = getattr(synthetic, f"make_{name}")()
    for pair, pair_again in zip(data[name], again):
        for array, array_again in zip(pair, pair_again):
            assert (array == array_again).all()
    if name in {"reuters", "boston"}:  # 另外两个生成一次要几秒，做法相同
        other = getattr(synthetic, f"make_{name}")(seed=1)
        assert not (data[name][0][1] == other[0][1]).all()


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_word_ids_are_like_keras(data, name):
    """元素是 Python 列表和整数，1 打头，2 是未知词，0 和 3 不出现"""
    for x, _ in data[name]:
        assert {type(sequence) for sequence in x} == {list}
        assert {type(i) for sequence in x[:200] for i in sequence} == {int}
        assert all(sequence[0] == 1 and len(sequence) > 10 for sequence in x)
        used = {i for sequence in x for i in sequence[1:]}
        assert min(used) == 2 and max(used) == 9999 and 3 not in used
    lengths = [len(sequence) for sequence in data[name][0][0]]
    real = {"imdb": 239, "reuters": 146}[name]  # 真实数据的平均长度
    assert abs(np.mean(lengths) - real) < 0.1 * real
    assert np.mean(lengths) > 1.2 * np.median(lengths)  # 少数特别长


def test_num_words():
    """同一批文章，只是编号不小于 num_words 的词换成 2；None 表示不限"""
    (cut, _), _ = synthetic.make_reuters(50)
    (everything, _), _ = synthetic.make_reuters(None)
    assert max(map(max, everything)) > 10_000
    assert not any(2 in sequence for sequence in everything)
    expected = [[i if i < 50 else 2 for i in sequence] for sequence in everything]
    assert list(cut) == expected


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_every_word_can_be_decoded(name):
    """名次从 1 起连续，每个编号都有一个不同的英文词，常用词在前"""
    index = getattr(synthetic, f"{name}_word_index")()
    assert sorted(index.values()) == list(range(1, synthetic._VOCABULARY + 1))
    assert all(word.isascii() and word.isalnum() for word in index)
    assert index["the"] == 1 and index["and"] < 10
    (x, _), _ = getattr(synthetic, f"make_{name}")(None)
    assert max(map(max, x)) - 3 <= len(index)


def test_labels(data):
    """影评正负各半、打乱过；新闻的主题数量悬殊，每个主题都有"""
    for _, y in data["imdb"]:
        assert list(np.bincount(y)) == [12500, 12500]
        assert 0.4 < y[:1000].mean() < 0.6
    share = np.bincount(data["reuters"][0][1], minlength=46) / 8982
    assert share.min() > 0 and list(np.argsort(-share)[:2]) == [3, 4]
    assert abs(share[3] - 0.35) < 0.03 and abs(share[4] - 0.22) < 0.03
    assert (share < 0.01).sum() > 25
    assert 0.17 < (share**2).sum() < 0.21  # 打乱标签之后碰巧相同的比例


def test_words_read_the_way_they_lean(data):
    """褒义词在正面评论里多，贬义词在负面评论里多；主题名在那个主题里多"""
    (x, y), _ = data["imdb"]
    counts, y, index = multi_hot(x[:6000]), y[:6000], synthetic.imdb_word_index()
    lean = counts[y == 1].mean(0) - counts[y == 0].mean(0)
    for words, sign in [(synthetic._POSITIVE, 1), (synthetic._NEGATIVE, -1)]:
        assert all(lean[index[word] + 3] * sign > 0.01 for word in words)
    (x, y), _ = data["reuters"]
    counts, index = multi_hot(x), synthetic.reuters_word_index()
    for topic, word in [(3, "earn"), (1, "grain"), (16, "crude"), (0, "cocoa")]:
        column = counts[:, index[word] + 3]
        assert column[y == topic].mean() > 2 * column[y != topic].mean()


def test_boston_columns_are_plausible(data):
    """各列的范围、偏斜和相关的正负号同真实数据"""
    (x, y), _ = data["boston"]
    crim, zn, indus, chas, nox, rm, _, dis, rad, tax, _, _, lstat = x.T
    assert x.min() >= 0 and y.min() >= 5 and y.max() == 50
    assert 18 < y.mean() < 27 and 7 < y.std() < 12
    assert set(chas) == {0, 1} and (zn == 0).mean() > 0.5
    assert crim.mean() > 3 * np.median(crim)
    assert set(rad) <= {*range(1, 9), 24} and np.corrcoef(rad, tax)[0, 1] > 0.7
    assert np.corrcoef(nox, dis)[0, 1] < -0.5 < 0.5 < np.corrcoef(nox, indus)[0, 1]
    assert np.corrcoef(rm, y)[0, 1] > 0.5 and np.corrcoef(lstat, y)[0, 1] < -0.5


# %% 每一节的道理


def test_digits_can_be_learned_but_not_perfectly(data):
    """2.1 节：测试精度高，但比训练精度低；只用三分之一的数据，精度略低于全部"""
    (x, y), (x_test, y_test) = data["mnist"]
    x = x[:20_000].reshape(-1, 784) / np.float32(255)
    x_test = x_test.reshape(-1, 784) / np.float32(255)
    loss = "sparse_categorical_crossentropy"
    options = {"epochs": 5, "batch_size": 128}
    model, history = fit([512], 10, "softmax", loss, x, y[:20_000], **options)
    test_acc = model.evaluate(x_test, y_test, batch_size=10_000, verbose=0)[1]
    assert 0.93 < test_acc < 0.98
    assert history["accuracy"][-1] > test_acc + 0.01


def test_reviews_show_overfitting(data):
    """3.4 节：验证损失先降后升，训练精度一直升到接近 1"""
    (x, y), _ = data["imdb"]
    x, y = multi_hot(x[:15_000]), y[:15_000].astype("float32")
    validation = x[10_000:], y[10_000:]
    options = {"epochs": 12, "batch_size": 512, "validation_data": validation}
    loss = "binary_crossentropy"
    x, y = x[:10_000], y[:10_000]
    _, history = fit([16, 16], 1, "sigmoid", loss, x, y, **options)
    val_loss = history["val_loss"]
    best = int(np.argmin(val_loss))
    assert 1 <= best <= 7
    assert val_loss[0] > 1.15 * val_loss[best] and val_loss[-1] > 1.25 * val_loss[best]
    assert 0.82 < max(history["val_accuracy"]) < 0.91
    assert history["accuracy"][-1] > 0.98


def test_newswires_overfit_and_four_units_are_a_bottleneck(data):
    """3.5 节：验证损失先降后升；中间层只有 4 个单元，验证精度明显低"""
    (x, y), _ = data["reuters"]
    x = multi_hot(x)
    validation = x[:1000], y[:1000]
    loss, best = "sparse_categorical_crossentropy", {}
    for units, batch_size, epochs in [(64, 512, 18), (4, 128, 8)]:
        _, history = fit(
            *([64, units], 46, "softmax", loss, x[1000:], y[1000:]),
            **{"epochs": epochs, "batch_size": batch_size},
            validation_data=validation,
        )
        best[units] = max(history["val_accuracy"])
        if units == 64:
            val_loss = history["val_loss"]
            assert 7 <= np.argmin(val_loss) + 1 <= 16
            assert val_loss[-1] > 1.03 * min(val_loss)
            assert history["accuracy"][-1] > best[64] + 0.1
    assert 0.75 < best[64] < 0.88
    assert best[64] - best[4] > 0.05


def test_prices_need_a_network_and_folds_disagree(data):
    """3.6 节：网络比直线准，各折的 MAE 相差不小，测试 MAE 两三千美元"""
    (x, y), (x_test, y_test) = data["boston"]
    mean, std = x.mean(axis=0), x.std(axis=0)
    x, x_test = (x - mean) / std, (x_test - mean) / std

    def train(x, y):
        # 重复 10 遍、训练 8 轮，和训练 80 轮的更新次数相同，每轮的开销只有十分之一
        x, y = np.tile(x, (10, 1)), np.tile(y, 10)
        return fit([64, 64], 1, None, "mse", x, y, epochs=8, batch_size=16)[0]

    model = train(x, y)
    mae = model.evaluate(x_test, y_test, batch_size=102, verbose=0)[1]
    weights = np.linalg.lstsq(np.c_[x, np.ones(404)], y, rcond=None)[0]
    linear = np.abs(np.c_[x_test, np.ones(102)] @ weights - y_test).mean()
    assert 1.8 < mae < 3.3
    assert mae < 0.85 * linear
    folds = []
    for part in np.array_split(np.arange(404), 4):
        rest = np.delete(np.arange(404), part)
        model = train(x[rest], y[rest])
        folds.append(model.evaluate(x[part], y[part], batch_size=101, verbose=0)[1])
    assert 1.8 < np.mean(folds) < 3.3
    assert max(folds) - min(folds) > 0.1
