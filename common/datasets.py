"""数据集，返回的数组和书中一模一样，不做预处理

命令行：python -m common.datasets            列出每个数据集是否就绪
        python -m common.datasets download   提前全部下载，也可以只写几个名字
"""

import hashlib
import json
import os
import pickle
import sys
import tarfile
import zipfile
from functools import partial

from common import Fault, synthetic, synthetic_in_use
from common.download import FILES, Unavailable, cache_dir, how_to_get, load, obtain
from common.photos import clean_path, load_cats_dogs, pictures

import numpy as np
import pandas as pd
from PIL import Image

# %% 手写数字和房价：文件里只有数字，镜像常常重新打包，所以验证的是数组的内容
MNIST_CONTENT = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
BOSTON_CONTENT = "a452688f7de3e21b6013d6c370ad53e04c3181c33ad9f0dd91b8b2f67317e787"


def read_numbers(path, keys, dtype, content):
    with np.load(path, allow_pickle=False) as archive:
        arrays = [np.ascontiguousarray(archive[key], dtype) for key in keys]
    if hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest() != content:
        raise Unavailable("里面的数字和官方的不同")
    return arrays


def load_mnist():
    """MNIST 手写数字，2.1 节等

    返回：(train_images, train_labels), (test_images, test_labels)
        图像 uint8，(60000, 28, 28) 和 (10000, 28, 28)，0 是背景，255 是笔画；
        标签 uint8，取 0 到 9
    """
    keys = ["x_train", "y_train", "x_test", "y_test"]
    parse = partial(read_numbers, keys=keys, dtype="uint8", content=MNIST_CONTENT)
    find = partial(obtain, "mnist", parse)
    x_train, y_train, x_test, y_test = load("mnist", find, synthetic.make_mnist)
    return (x_train.reshape(-1, 28, 28), y_train), (x_test.reshape(-1, 28, 28), y_test)


def load_boston():
    """波士顿房价，3.6 节

    返回：(train_data, train_targets), (test_data, test_targets)
        数据 float64，(404, 13) 和 (102, 13)；目标 float64，单位千美元
    """

    def find():
        parse = partial(read_numbers, keys="xy", dtype=float, content=BOSTON_CONTENT)
        return shuffle(*obtain("boston", parse))

    x, y = load("boston", find, synthetic.make_boston)
    cut = int(len(x) * 0.8)
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


# %% 影评和新闻：长短不一的序列只能用 pickle 存，所以 SHA-256 对上了才读


def shuffle(x, y, rng=None):
    """Keras 固定用种子 113 打乱；次序一样，第几条才和书中是同一条"""
    order = (rng or np.random.RandomState(113)).permutation(len(x))
    return x[order], y[order]


def read_sequences(path):
    with np.load(path, allow_pickle=True) as archive:
        return {key: archive[key] for key in archive.files}


def limit_words(sequences, num_words):
    """名次加 3，开头加 1，不小于 num_words 的换成 2，和 Keras 一样；None 则都不换"""
    result = np.empty(len(sequences), dtype=object)
    most = num_words or np.inf
    for i, words in enumerate(sequences):
        result[i] = [1, *(w + 3 if w + 3 < most else 2 for w in words)]
    return result


def load_imdb(num_words=None):
    """IMDB 影评，3.4 节等

    参数：num_words，编号不小于它的罕见词记作 2；None 表示不限
    返回：(train_data, train_labels), (test_data, test_labels)
        数据是 (25000,) 的 object 数组，每个元素是一条评论的单词编号列表；
        标签 int64，(25000,)，1 是正面，0 是负面
    """

    def find():
        data, rng = obtain("imdb", read_sequences), np.random.RandomState(113)
        train = shuffle(data["x_train"], data["y_train"], rng)
        return train, shuffle(data["x_test"], data["y_test"], rng)

    train, test = load("imdb", find, synthetic.make_imdb)
    return tuple((limit_words(x, num_words), y) for x, y in (train, test))


def load_reuters(num_words=None):
    """路透社新闻，3.5 节；num_words 和 load_imdb 的相同

    返回：(train_data, train_labels), (test_data, test_labels)
        数据是 (8982,) 和 (2246,) 的 object 数组，每个元素是单词编号列表；
        标签 int64，取 0 到 45，名字见 keras.datasets.reuters.get_label_names
    """

    def find():
        data = obtain("reuters", read_sequences)
        return shuffle(data["x"], data["y"])

    x, y = load("reuters", find, synthetic.make_reuters)
    x, cut = limit_words(x, num_words), int(len(x) * 0.8)
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def load_word_index(name):
    """返回 {单词: 名次}，名次从 1 起，和书中的 get_word_index 相同；先加载数据集再用

    参数：name，imdb 或 reuters
    异常：Fault，拿不到词表
    """
    if name in synthetic_in_use:
        return synthetic.make_word_index(name)
    try:
        return obtain(f"{name}_words", lambda path: json.loads(path.read_bytes()))
    except Unavailable as problem:
        raise Fault(f"拿不到词表：{problem}\n{how_to_get(name)}") from None


# %% 天气


def load_jena(path=""):
    """耶拿天气时间序列，6.3、6.4 节

    参数：path，自己的 CSV 或者里面只有它的 zip，列名和官方文件一样，行数不限
    返回：DataFrame，索引是时间，每 10 分钟一行，官方文件 420 551 行；14 列 float64
    异常：Fault，path 读不了
    """
    if not path:
        find = partial(obtain, "jena", partial(read_jena, rows=420_551))
        return load("jena", find, synthetic.make_jena)
    try:
        table = read_jena(clean_path(path))
    except (OSError, Unavailable) as error:
        raise Fault(f"读不了 JENA_CSV = {path}：{error}") from None
    for column, count in (table == -9999).sum().items():
        if count:
            print(f"注意：{column} 有 {count} 行是 -9999，意思是没有测到，结果会不准")
    return table


def read_jena(path, rows=None):
    """读 CSV 或者里面只有它的 zip；rows，应有多少行"""
    try:
        if str(path).lower().endswith(".zip"):  # macOS 压缩的多一个 __MACOSX/，不算
            with zipfile.ZipFile(path) as archive:
                (name,) = (n for n in archive.namelist() if "__MACOSX" not in n)
                with archive.open(name) as file:
                    return read_jena(file, rows)
        # 气象站近年的文件，列名里有希腊字母，不是 UTF-8
        table = pd.read_csv(path, encoding_errors="replace")
        times = pd.to_datetime(table["Date Time"], format="%d.%m.%Y %H:%M:%S")
        table = table[synthetic.JENA_COLUMNS].astype("float64").set_index(times)
    except KeyError as error:
        raise Unavailable(f"缺少列 {error}，列名要和官方文件完全一样") from None
    except (ValueError, zipfile.BadZipFile) as error:  # pandas 会说出是哪个格子、哪一行
        raise Unavailable(f"解析不了：{error}") from None
    if rows and len(table) != rows:
        raise Unavailable(f"有 {len(table)} 行，应为 {rows} 行，多半没有复制完")
    bad = np.flatnonzero(~np.isfinite(table.to_numpy()).all(axis=1))
    if len(bad):
        raise Unavailable(f"第 {bad[0] + 2} 行有的格子是空的，或者不是有限的数")
    return table


# %% 青蛙


def load_frogs():
    """CIFAR-10 训练集里的青蛙，8.5 节；返回 uint8，(5000, 32, 32, 3)"""
    return load("frogs", find_frogs, synthetic.make_frogs)


def find_frogs():
    folder = cache_dir() / "cifar10_images" / "train" / "frog"
    paths = sorted(pictures(folder), key=lambda path: (len(path.stem), path.stem))
    if len(paths) < 5000:
        return obtain("frogs", read_frogs)
    print(f"青蛙来自图片文件夹 {folder}，是 JPEG 的话和原始数据略有出入")
    return np.stack([np.asarray(Image.open(p).convert("RGB")) for p in paths[:5000]])


def read_frogs(path):
    """不往磁盘上解开，只读出五个批次；SHA-256 已经对过，pickle 可以放心读"""
    frogs = []
    with tarfile.open(path) as archive:
        for i in range(1, 6):
            file = archive.extractfile(f"cifar-10-batches-py/data_batch_{i}")
            batch = pickle.load(file, encoding="bytes")
            images = batch[b"data"][np.array(batch[b"labels"]) == 6]  # 6 是青蛙
            frogs.append(images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return np.concatenate(frogs)


# %% 命令行
LOADERS = {
    "mnist": load_mnist,
    "imdb": lambda: (load_imdb(100), load_word_index("imdb")),
    "reuters": lambda: (load_reuters(100), load_word_index("reuters")),
    "boston": load_boston,
    "cats_dogs": load_cats_dogs,
    "jena": load_jena,
    "frogs": load_frogs,
}


def command_line(arguments):
    """返回退出码：0 成功，1 有数据没拿到，2 参数不对"""
    if not arguments:
        print(f"缓存文件夹：{cache_dir()}")
        for file in FILES.values():
            found = any((cache_dir() / n).exists() for n in (file.name, *file.also))
            print(f"{'有' if found else '缺'}  {file.name}（{file.size / 1e6:.1f} MB）")
        return 0
    command, *names = arguments
    if command != "download" or set(names) - set(LOADERS):
        print("用法：python -m common.datasets [download [名字 …]]，名字：", *LOADERS)
        return 2
    os.environ["DLPY_DATA"] = "real"
    missing = 0
    for name in names or LOADERS:
        try:
            LOADERS[name]()
            print(f"{name}：就绪")
        except Fault as problem:
            missing += 1
            print(problem)
    return min(missing, 1)


if __name__ == "__main__":
    sys.exit(command_line(sys.argv[1:]))
