"""与真实数据形状、类型一致的微型数据，几十到几百条，一轮只要几毫秒

数据里有简单的规律可学，所以测试可以要求网络学会，而不只是没有出错
"""

from common.jena import COLUMNS

import numpy as np
import pandas as pd
from PIL import Image

VOCABULARY = 40  # 单词编号从 4 到 43；不用 3，和 Keras 的数据一样


def _ragged(rows):
    data = np.empty(len(rows), dtype=object)
    data[:] = [[int(i) for i in row] for row in rows]
    return data


def _sequences(rng, labels, num_words):
    """标签为 c 的序列，一半的词是第 c 个词，其余随机；超出 num_words 的记作 2"""
    rows = []
    for c in labels:
        words = rng.integers(4, 4 + VOCABULARY, rng.integers(8, 16))
        words[: len(words) // 2] = 4 + c % VOCABULARY
        words[words >= num_words] = 2
        rows.append([1, *words])
    return _ragged(rows)


def make_mnist(seed=0):
    rng = np.random.default_rng(seed)

    def split(n):
        labels = rng.integers(0, 10, n).astype("uint8")
        images = rng.integers(0, 60, (n, 28, 28)).astype("uint8")
        for image, digit in zip(images, labels):
            image[2 * digit : 2 * digit + 4, 4:24] = 250  # 数字越大，横条越靠下
        return images, labels

    return split(640), split(100)


def make_imdb(num_words=10000, seed=0):
    rng = np.random.default_rng(seed)

    def split(n):
        labels = rng.permutation(np.arange(n) % 2)
        return _sequences(rng, labels, num_words), labels

    return split(120), split(40)


def make_reuters(num_words=10000, seed=0):
    rng = np.random.default_rng(seed)

    def split(n):
        labels = np.where(rng.random(n) < 0.4, 3, rng.integers(0, 46, n))
        return _sequences(rng, labels, num_words), labels

    return split(300), split(80)


def make_boston(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(5.0, [1.0 + i for i in range(13)], (50, 13))
    y = 22 + 0.5 * (x[:, 0] - 5) + rng.normal(0, 0.5, 50)
    return (x[:40], y[:40]), (x[40:], y[40:])


def make_cats_dogs(folder, counts=(8, 4, 4), seed=0):
    """猫上半张亮，狗下半张亮；张数固定，不管要多少"""
    rng = np.random.default_rng(seed)
    for name in ("cat", "dog"):
        number = 0
        for split, count in zip(("train", "validation", "test"), (8, 4, 4)):
            target = folder / split / f"{name}s"
            target.mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                image = rng.integers(0, 60, (50, 56, 3)).astype("uint8")
                image[: 25 if name == "cat" else None][25 * (name == "dog") :] += 180
                Image.fromarray(image).save(target / f"{name}.{number}.jpg")
                number += 1


def make_jena(rows=900, seed=0):
    """气温有昼夜和几天一变的起伏，其余是噪声；有一个 -9999 和一个重复的时间"""
    rng = np.random.default_rng(seed)
    step = np.arange(rows)
    table = rng.normal(5.0, 1.0, (rows, len(COLUMNS)))
    table[:, 1] += 4 * np.sin(step / 144 * 2 * np.pi) + 3 * np.sin(step / 60)
    table[550, 11] = -9999.0
    index = pd.date_range("2009-01-01 00:10", periods=rows, freq="10min")
    index = index[[*range(500), 499, *range(501, rows)]]
    return pd.DataFrame(table, index.rename("Date Time"), COLUMNS)


def make_frogs(count=60, seed=0):
    """上半蓝、下半绿，所以转了多少度看得出来；24x24，判别器能接受的最小的图像"""
    rng = np.random.default_rng(seed)
    frogs = rng.integers(0, 60, (count, 24, 24, 3))
    frogs[:, :12, :, 2] += 150
    frogs[:, 12:, :, 1] += 150
    return frogs.astype("uint8")


def imdb_word_index():
    return {f"w{i}": i for i in range(1, VOCABULARY + 1)}


reuters_word_index = imdb_word_index
