"""合成数据：形状、类型、大小和真的一样，每次生成的都一样；每一节的道理，用算得出的办法看

训练网络来看的在 test_lessons.py
"""

import hashlib

from common import Fault, datasets, photos, synthetic
from common.synthetic import reviews

import numpy as np
import pytest
from PIL import Image


def same(a, b):
    """两份数据是否逐个相同；数组、列表、元组都行"""
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a.dtype == b.dtype and a.shape == b.shape and bool(np.all(a == b))


GENERATORS = {
    "mnist": lambda seed: synthetic.make_mnist(700, seed),
    "imdb": lambda seed: synthetic.make_imdb((60, 40), seed),
    "reuters": lambda seed: synthetic.make_reuters(100, seed),
    "boston": lambda seed: synthetic.make_boston(seed),
    "jena": lambda seed: synthetic.make_jena(300, seed).to_numpy(),
    "frogs": lambda seed: synthetic.make_frogs(10, seed),
}


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_same_seed_same_data(make):
    assert same(make(0), make(0)) and not same(make(0), make(1))


SHAPES = {
    "mnist": [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)],
    "imdb": [(25000,)] * 4,
    "reuters": [(8982,), (8982,), (2246,), (2246,)],
    "boston": [(404, 13), (404,), (102, 13), (102,)],
}
DTYPES = {"mnist": ["uint8", "uint8"], "boston": ["float64", "float64"]}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_and_dtypes_are_the_real_ones(monkeypatch, name):
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    arrays = [a for pair in getattr(datasets, f"load_{name}")() for a in pair]
    assert [array.shape for array in arrays] == SHAPES[name]
    expected = DTYPES.get(name, ["object", "int64"]) * 2
    assert [str(array.dtype) for array in arrays] == expected
    assert synthetic.make_jena.__defaults__ == (420_551, 0)  # 行数、种子
    assert synthetic.make_frogs.__defaults__ == (5000, 0)
    counts = synthetic.make_cats_dogs.__defaults__[0]
    assert counts == tuple(photos.SPLITS.values())


def test_digits_can_be_told_apart_but_not_easily():
    """离哪个数字的平均图像最近：远比瞎猜好，也远不够好，因为位置、斜度、粗细各不相同"""
    x, y, x_test, y_test = synthetic.make_mnist(7000)
    assert (x == 0).mean() > 0.5 and x.max() == 255  # 0 是背景
    assert np.bincount(y, minlength=10).min() > 500
    means = np.stack([x[y == digit].mean(axis=0) for digit in range(10)])
    distances = ((x_test[:, None] - means) ** 2).sum(axis=(2, 3))
    assert 0.4 < (distances.argmin(axis=1) == y_test).mean() < 0.9


def multi_hot(sequences):
    """每条里出现过哪些词"""
    results = np.zeros((len(sequences), reviews.VOCABULARY + 1), "bool")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = True
    return results


def test_reviews():
    """正负各半；褒义的词在正面评论里多，但是谁也不能单凭一个词判断"""
    (sequences, y), _ = synthetic.make_imdb((3000, 2))
    x = multi_hot(sequences)
    assert list(np.bincount(y)) == [1500, 1500] and 0.4 < y[:500].mean() < 0.6
    assert min(map(min, sequences)) == 1
    assert reviews.VOCABULARY >= max(map(max, sequences)) > 15_000
    lengths = [len(sequence) for sequence in sequences]
    assert abs(np.mean(lengths) - 238) < 24  # 真实的影评平均 238 个词
    assert np.mean(lengths) > 1.2 * np.median(lengths)  # 少数特别长
    index = synthetic.make_word_index("imdb")
    assert sorted(index.values()) == list(range(1, reviews.VOCABULARY + 1))
    assert all(word.isascii() and word.isalnum() for word in index)
    lean = x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)
    for words, sign in [(reviews.POSITIVE, 1), (reviews.NEGATIVE, -1)]:
        assert all(lean[index[word]] * sign > 0.01 for word in words)
    assert np.abs(lean).max() < 0.4
    # 相邻的几个词多半同褒同贬，6.1 节的词向量才看得出褒贬
    sides = {index[w]: 1 for w in reviews.POSITIVE}
    sides |= {index[w]: -1 for w in reviews.NEGATIVE}
    signs = np.array([sides.get(word, 0) for words in sequences for word in words])
    pairs = signs[1:] * signs[:-1]
    assert pairs.sum() > 0.05 * np.abs(pairs).sum()


def test_newswires():
    """主题数量悬殊，每个都有；主题名在那个主题里多"""
    sequences, y = synthetic.make_reuters(5000)
    x = multi_hot(sequences)
    share = np.bincount(y[:4000], minlength=46) / 4000
    assert share.min() > 0 and list(np.argsort(-share)[:2]) == [3, 4]
    assert abs(share[3] - 0.35) < 0.03 and abs(share[4] - 0.22) < 0.03
    assert 0.17 < (share**2).sum() < 0.21  # 打乱标签之后碰巧相同的比例
    assert abs(np.mean([len(sequence) for sequence in sequences]) - 145) < 15
    index = synthetic.make_word_index("reuters")
    for topic, word in [(3, "earn"), (1, "grain"), (16, "crude"), (0, "cocoa")]:
        column = x[:, index[word]]
        assert column[y == topic].mean() > 2 * column[y != topic].mean()


def test_prices_are_plausible_and_not_linear():
    """各列的范围、偏斜和相关的正负号同真实数据；弯曲的特征比直线准"""
    x, y = synthetic.make_boston()
    crim, zn, indus, chas, nox, rm, _, dis, rad, tax, _, _, lstat = x.T
    assert x.min() >= 0 and y.min() >= 5 and y.max() == 50
    assert 18 < y.mean() < 27 and 7 < y.std() < 12
    assert set(chas) == {0, 1} and (zn == 0).mean() > 0.5
    assert crim.mean() > 3 * np.median(crim) and np.corrcoef(rad, tax)[0, 1] > 0.7
    assert np.corrcoef(nox, dis)[0, 1] < -0.5 < 0.5 < np.corrcoef(nox, indus)[0, 1]
    assert np.corrcoef(rm, y)[0, 1] > 0.5 and np.corrcoef(lstat, y)[0, 1] < -0.5
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    hidden = np.maximum(x @ np.random.default_rng(0).normal(size=(13, 300)), 0)

    def mae(features, penalty):
        a, b = np.c_[features, np.ones(506)][:404], y[:404]
        weights = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ b)
        return np.abs(np.c_[features, np.ones(506)][404:] @ weights - y[404:]).mean()

    assert 1.5 < mae(hidden, 300) < 0.9 * mae(x, 1e-6)


def test_photo_folder_is_the_book_s(tmp_path, monkeypatch, capsys):
    """编号连续；画过的不再画；画到一半被打断，没有半个文件夹；编号相同，照片就相同"""
    counts, calls, save = (2, 1, 1), [], Image.Image.save

    def stop(image, path, **options):
        calls.append(path)
        if len(calls) == 4:
            raise KeyboardInterrupt
        save(image, path, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Image.Image, "save", stop)
        synthetic.make_cats_dogs(tmp_path / "a", counts)
    assert not (tmp_path / "a").exists()
    folder = synthetic.make_cats_dogs(tmp_path / "a", counts)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    splits = {"train": [0, 1], "validation": [2], "test": [3]}
    assert {path.relative_to(folder).as_posix() for path in paths} == {
        f"{split}/{kind}s/{kind}.{number}.jpg"
        for split, numbers in splits.items()
        for kind in ("cat", "dog")
        for number in numbers
    }
    images = [Image.open(path) for path in paths]
    kinds = {(image.format, image.mode, image.size) for image in images}
    assert kinds == {("JPEG", "RGB", (160, 160))}
    with pytest.raises(Fault, match="用 KERAS_HOME 换一个文件夹"):  # 文件夹不能写
        synthetic.make_cats_dogs(paths[0] / "a", counts)
    capsys.readouterr()
    assert synthetic.make_cats_dogs(folder, counts) == folder
    assert capsys.readouterr().out == ""
    other = synthetic.make_cats_dogs(tmp_path / "b", (4,))
    contents = {path.name: path.read_bytes() for path in paths}
    assert contents == {path.name: path.read_bytes() for path in other.rglob("*.jpg")}
    assert len(set(contents.values())) == 8


def held_out_accuracy(features, labels):
    """用一半的照片拟合最小二乘分类器，返回它在另一半上的精度"""
    x = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    x, half = np.c_[x, np.ones(len(x))], len(x) // 2
    weights = np.linalg.lstsq(x[:half], labels[:half] - 0.5, rcond=None)[0]
    return np.mean((x[half:] @ weights > 0) == labels[half:])


def test_only_the_shape_tells_cats_from_dogs(tmp_path):
    """平均颜色、颜色的直方图、四边的颜色、文件的大小，都看不出是猫是狗"""
    folder = synthetic.make_cats_dogs(tmp_path / "a", (300,))
    key = {path: int(path.name.split(".")[1]) for path in folder.rglob("*.jpg")}
    paths = sorted(key, key=lambda path: (key[path], path.name))  # 一只猫、一只狗
    images = np.stack([np.asarray(Image.open(path)) for path in paths])
    means = np.c_[images.mean(axis=(1, 2)), images.std(axis=(1, 2))]
    bins = [(images // 32 == i).mean(axis=(1, 2)) for i in range(8)]
    rows, columns = images[:, ::40, [0, -1]], images[:, [0, -1], ::40]
    border = np.concatenate([rows.reshape(600, -1), columns.reshape(600, -1)], axis=1)
    sizes = np.array([[path.stat().st_size] for path in paths], "float64")
    for features in (means, np.concatenate(bins, axis=1), border, sizes):
        assert held_out_accuracy(features, np.tile([0, 1], 300)) < 0.6


def test_weather_is_bit_for_bit_the_same():
    """6.3 节的道理在这份数据上查过，见 test_lessons.py；文档里的数字也是在它上面量的"""
    table = synthetic.make_jena(2000)
    assert list(table.columns) == synthetic.JENA_COLUMNS
    assert str(table.index[0]) == "2009-01-01 00:10:00"
    assert (np.diff(table.index) == np.timedelta64(10, "m")).all()
    digest = hashlib.sha256(table.to_numpy().tobytes()).hexdigest()
    assert digest == "813caa108017fe03da398e841252a07cc0886b5f782857498996a1aca231ab4f"
