"""合成数据：真实数据拿不到时的替身，形状、类型、大小和真实的一样

不是噪声：每一节的道理在上面都看得到（由 tests/test_synthetic.py 保证），但数字不是
书中的数字。给定 seed，每次生成的都一样
"""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

# %% 手写数字（2.1 节）：Matplotlib 自带字体里的数字，加上随机的变形、粗细和噪声

_DIGIT_FONTS = [
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Oblique", "DejaVuSerif"),
    *("DejaVuSerif-Bold", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralItalic"),
    *("STIXGeneralBol", "STIXGeneralBolIta", "cmr10", "cmss10", "cmtt10", "cmb10"),
]
_CELL = 56  # 字模的边长，是最后图像的两倍，变形之后才不显锯齿


def _digit_templates():
    """返回 float32，(字体数, 10, 56, 56)，取值 [0, 1]，每个数字放大到同样的高度"""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    paths = [folder / f"{name}.ttf" for name in _DIGIT_FONTS]
    paths = [path for path in paths if path.exists()]
    big = 80  # 先画在 80x80 的格子里，再裁掉空白、缩放到字模里
    figure = Figure(figsize=(10, len(paths)), dpi=big)
    canvas = FigureCanvasAgg(figure)
    for row, path in enumerate(paths):
        font = FontProperties(fname=str(path), size=48)
        for digit in range(10):
            x, y = (digit + 0.5) / 10, (row + 0.5) / len(paths)
            figure.text(x, y, str(digit), fontproperties=font, ha="center", va="center")
    canvas.draw()
    page = 1 - np.asarray(canvas.buffer_rgba())[::-1, :, 0] / np.float32(255)
    cells = page.reshape(len(paths), big, 10, big).swapaxes(1, 2)[:, :, ::-1]
    templates = np.zeros((len(paths), 10, _CELL, _CELL), "float32")
    target = np.arange(_CELL) - (_CELL - 1) / 2  # 以中心为原点
    for row, digit in np.ndindex(len(paths), 10):
        cell = cells[row, digit]
        used_y, used_x = np.flatnonzero(cell.any(1)), np.flatnonzero(cell.any(0))
        scale = (used_y[-1] - used_y[0] + 1) / 38  # 字高 38，最后缩成 19 个像素
        y = (target * scale + used_y.mean()).round().astype(int).clip(0, big - 1)
        x = (target * scale + used_x.mean()).round().astype(int).clip(0, big - 1)
        templates[row, digit] = cell[np.ix_(y, x)]
    # 稍微模糊，之后按不同的阈值取，笔画就有粗有细
    for axis in (2, 3):
        templates = sum(np.roll(templates, shift, axis) for shift in range(-2, 3)) / 5
    return templates


def _draw_digits(rng, templates, labels):
    """每个标签画一张图，返回 uint8，(len(labels), 28, 28)"""
    images = np.empty((len(labels), 28, 28), "uint8")
    grid = ((np.arange(28) - 13.5) * 2).astype("float32")
    for start in range(0, len(labels), 2000):  # 分批画，省内存
        digits = labels[start : start + 2000]
        n = len(digits)

        def uniform(low, high, n=n):
            return rng.uniform(low, high, (n, 1, 1)).astype("float32")

        angle, shear = uniform(-0.35, 0.35), uniform(-0.45, 0.45)
        cos, sin = np.cos(angle), np.sin(angle)
        y, x = grid[:, None] - uniform(-4, 4), grid - uniform(-4, 4)
        source_x = (cos * x + sin * y) * uniform(0.85, 1.35)
        source_y = (cos * y - sin * x) * uniform(0.85, 1.2)
        source_x = source_x + shear * source_y
        # 再像手写一样弯一弯
        wave = uniform(0, 6.3)
        bend = source_y * np.float32(0.13)
        source_x = source_x + uniform(0, 4.0) * np.sin(bend + wave)
        column = (source_x + (_CELL - 1) / 2).round().astype("int32")
        line = (source_y + (_CELL - 1) / 2).round().astype("int32")
        outside = (column < 0) | (column >= _CELL) | (line < 0) | (line >= _CELL)
        font = rng.integers(0, len(templates), (n, 1, 1))
        ink = templates[
            font,
            digits[:, None, None],
            line.clip(0, _CELL - 1),
            column.clip(0, _CELL - 1),
        ]
        ink[outside] = 0
        ink = ((ink - uniform(0.2, 0.7)) * 3 + 0.5).clip(0, 1)
        noise = rng.standard_normal((n, 28, 28), "float32") * uniform(0, 0.45)
        ink = np.where(ink > 0, ink + noise, 0) * uniform(0.8, 1.0)
        images[start : start + n] = (ink.clip(0, 1) * 255).astype("uint8")
    return images


def make_mnist(seed=0):
    """2.1 节的替身：密集连接网络的测试精度过 0.95、不到 1，训练精度更高

    返回：和 load_mnist 相同的形状和类型
    """
    rng = np.random.default_rng(seed)
    templates = _digit_templates()
    labels = rng.integers(0, 10, 70_000).astype("uint8")
    images = _draw_digits(rng, templates, labels)
    return (images[:60_000], labels[:60_000]), (images[60_000:], labels[60_000:])


# %% 影评和新闻（3.4、3.5 节）：词频服从 Zipf 分布，词表编得像英文

_VOCABULARY = 20_000
_FREQUENT = """the and a of to is it in i this that was as for with movie but film on
not you are his have be one he all at by an they so like who from or just out about
if has what some there when very more up no even my would she only really had which
their see were good""".split()
_POSITIVE = """great best love wonderful excellent perfect beautiful amazing brilliant
favorite superb enjoyed touching hilarious fantastic outstanding moving masterpiece
terrific charming delightful powerful memorable stunning gem enjoyable fresh
heartwarming clever rewarding""".split()
_NEGATIVE = """bad worst boring awful terrible waste stupid poor horrible dull annoying
lame ridiculous pathetic predictable mess disappointing badly unfunny pointless garbage
tedious weak cheap avoid fails painful laughable mediocre unwatchable""".split()
_ONSETS = "b br c d dr f fl g gr h j k l m n p pl r s sh st t tr v w".split()
_VOWELS = "a e i o u ai ee oo".split()
_CODAS = ["", "l", "m", "n", "nd", "r", "rt", "s", "st", "x"]


@cache
def _invented_words(count):
    """count 个互不相同、读得出来的词，由音节拼成"""
    rng = np.random.default_rng(12345)
    words, taken = [], {*_FREQUENT, *_POSITIVE, *_NEGATIVE}
    while len(words) < count:
        syllables = rng.integers(1, 4)
        word = "".join(
            _ONSETS[rng.integers(len(_ONSETS))]
            + _VOWELS[rng.integers(len(_VOWELS))]
            + _CODAS[rng.integers(len(_CODAS)) if last else 0]
            for last in [*[False] * (syllables - 1), True]
        )
        if word not in taken:
            taken.add(word)
            words.append(word)
    return words


def _zipf():
    """各个词出现的概率，第 0 个最常见，float64，(20000,)"""
    p = 1 / (np.arange(_VOCABULARY) + 3.0)
    return p / p.sum()


def _write(rng, labels, tilts, mean_length, strength, num_words):
    """按标签写文章，返回 object 数组，每个元素是单词编号的列表

    tilts：每个类别一行，各个词在这一类里多见（正）或少见（负）的程度；
    strength：每篇文章里有多大比例的词受类别影响，(最小, 最大)
    """
    base = _zipf()
    lengths = rng.gamma(2.0, mean_length / 2, len(labels)).astype(int) + 10
    share = rng.uniform(*strength, len(labels))
    documents = np.empty(len(labels), dtype=object)
    neutral = np.cumsum(base)
    for label in np.unique(labels):
        (members,) = np.nonzero(labels == label)
        tilted = base * np.exp(tilts[label])
        tilted = np.cumsum(tilted / tilted.sum())
        for part in np.array_split(members, len(members) // 2000 + 1):  # 省内存
            n = int(lengths[part].sum())
            points = rng.random(n)
            flavoured = rng.random(n) < np.repeat(share[part], lengths[part])
            words = np.empty(n, "int64")
            words[flavoured] = np.searchsorted(tilted, points[flavoured])
            words[~flavoured] = np.searchsorted(neutral, points[~flavoured])
            words = words.clip(0, _VOCABULARY - 1) + 4  # 第 0 个词的编号是 4
            if num_words is not None:
                words[words >= num_words] = 2
            words, start = words.tolist(), 0
            for i in part:
                documents[i] = [1, *words[start : start + lengths[i]]]
                start += lengths[i]
    return documents


# 明显带感情的词排在第 100 名之后，每隔 12 名一个，正负相间
_MARKED_RANKS = np.arange(100, 100 + 12 * 2 * len(_POSITIVE), 12)


@cache
def imdb_word_index():
    """和 keras.datasets.imdb.get_word_index 相同：{单词: 名次}，名次从 1 起"""
    words = _FREQUENT + _invented_words(_VOCABULARY)[: _VOCABULARY - len(_FREQUENT)]
    marked = [word for pair in zip(_POSITIVE, _NEGATIVE) for word in pair]
    for rank, word in zip(_MARKED_RANKS, marked):
        words[rank] = word
    return {word: i + 1 for i, word in enumerate(words)}


def make_imdb(num_words=10_000, seed=0):
    """3.4 节的替身：情感分散在许多词里，验证损失先降后升，看得到过拟合

    参数：num_words，同 load_imdb；None 表示不限
    返回：和 load_imdb 相同的形状和类型，平均长度也相近
    """
    rng = np.random.default_rng(seed)
    tilt = rng.normal(0, 0.28, _VOCABULARY)
    tilt[: len(_FREQUENT)] = 0
    tilt[_MARKED_RANKS] = np.tile([1.0, -1.0], len(_POSITIVE))

    def split(n):
        labels = rng.permutation(np.arange(n) % 2)
        data = _write(rng, labels, [-tilt, tilt], 225, (0.15, 0.85), num_words)
        return data, labels

    return split(25_000), split(25_000)


# 46 个主题的样本数大致按真实的比例，名字见 keras.datasets.reuters.get_label_names
_TOPIC_SHARES = [
    *(6, 48, 8, 352, 217, 2, 5, 2, 15, 11, 14, 43, 5, 19, 3, 2, 49, 4, 7, 61, 30, 11),
    *(2, 5, 7, 10, 3, 2, 5, 2, 5, 4, 4, 1, 6, 1, 5, 2, 2, 3, 4, 3, 1, 2, 1, 2),
]


@cache
def reuters_word_index():
    """和 keras.datasets.reuters.get_word_index 相同：{单词: 名次}，名次从 1 起"""
    frequent = """the of to in said and a mln 3 for vs dlrs it reuter 000 1 pct on from
    is that its cts by at year be with 2 will was billion he u s net has would an as 5
    not loss 4 1986 company which but this shr last are lt have or 6 bank 7 were 8 had
    oil trade share one about 0 inc 9 new profit also market two tax shares stock
    tonnes corp sales up wheat gold rate dollar crude sugar coffee cocoa""".split()
    words = dict.fromkeys(frequent + _invented_words(_VOCABULARY))  # 去掉重复的
    return {word: i + 1 for i, word in enumerate([*words][:_VOCABULARY])}


def make_reuters(num_words=10_000, seed=0):
    """3.5 节的替身：46 个数量悬殊的主题，相近的主题用词也相近，4 个单元的中间层明显不够

    参数：num_words，同 load_reuters；None 表示不限
    返回：和 load_reuters 相同的形状和类型，平均长度也相近
    """
    rng = np.random.default_rng(seed)
    tilts = np.zeros((46, _VOCABULARY))
    families = rng.integers(0, 12, 46)  # 同族的主题共用一部分词
    for family in range(12):
        words = rng.integers(60, 2500, 120)
        tilts[np.ix_(families == family, words)] = 3.0
    for topic in range(46):
        tilts[topic, rng.integers(60, 2500, 60)] = 3.0
    shares = np.array(_TOPIC_SHARES) / sum(_TOPIC_SHARES)

    def split(n):
        labels = rng.choice(46, n, p=shares)
        labels[:46] = np.arange(46)  # 每个主题至少有一条
        labels = rng.permutation(labels)
        data = _write(rng, labels, tilts, 135, (0.1, 0.9), num_words)
        return data, labels

    return split(8_982), split(2_246)


# %% 波士顿房价（3.6 节）


def make_boston(seed=0):
    """3.6 节的替身：房价和 13 个指标是非线性关系，样本少，各折的 MAE 相差不小

    返回：和 load_boston 相同的形状和类型，列的次序也相同
    """
    rng = np.random.default_rng(seed)
    n = 506

    def normal():
        return rng.standard_normal(n)

    urban, wealth = normal(), normal()  # 离市中心多近、多富裕，两个看不见的因素
    crowded = 1 / (1 + np.exp(-2 * urban))
    crim = np.exp(1.6 * urban - 0.8 * wealth - 1.2 + 0.8 * normal()).clip(0.006, 89)
    zn = np.where(urban + 0.5 * normal() < -0.7, 12.5 * rng.integers(1, 9, n), 0.0)
    indus = (11 + 5 * urban - 2 * wealth + 2.5 * normal()).clip(0.5, 27.7)
    chas = (rng.random(n) < 0.07).astype(float)
    nox = (0.55 + 0.09 * urban + 0.03 * normal()).clip(0.385, 0.871)
    rm = (6.28 + 0.55 * wealth + 0.42 * normal()).clip(3.6, 8.8)
    age = (68 + 22 * urban - 4 * wealth + 12 * normal()).clip(3, 100)
    dis = np.exp(1.2 - 0.45 * urban + 0.2 * normal()).clip(1.1, 12.1)
    rad = np.where(crowded > 0.8, 24.0, rng.integers(1, 9, n))
    tax = (300 + 15 * rad + 25 * normal()).clip(187, 711).round()
    ptratio = (18.5 - 1.1 * wealth + 0.5 * urban + 1.5 * normal()).clip(12.6, 22)
    b = (396.9 - rng.exponential(12, n) - 250 * (rng.random(n) < 0.07)).clip(0.3)
    lstat = np.exp(2.35 - 0.45 * wealth + 0.25 * urban + 0.2 * normal()).clip(1.7, 38)
    price = (
        21
        + 5.5 * (rm - 6.28)
        + 3.5 * (rm - 6.28).clip(0) ** 2
        - 9.0 * np.log(lstat / 10)
        - 18 * (nox - 0.55)
        - 1.3 * (np.log(dis) - 1.2) * 2
        - 0.7 * (ptratio - 18.5)
        + 3.0 * chas
        - 2.5 * np.tanh(crim / 10) * (rad == 24)
        + (2.2 + 2.5 * (wealth > 1)) * normal()  # 越富裕的区，价格越难说准
    )
    x = np.column_stack(
        [crim, zn, indus, chas, nox, rm, age, dis, rad, tax, ptratio, b, lstat]
    )
    y = price.clip(5, 50).round(1)
    return (x[:404], y[:404]), (x[404:], y[404:])
