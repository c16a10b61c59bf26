"""CIFAR-10 的青蛙，8.5 节：从哪里找、怎么读

load_frogs 依次试：
1. Keras 解开的 cifar-10-batches-py-target/cifar-10-batches-py/，或者自己解开的
   cifar-10-batches-py/
2. 没有解开的 cifar-10-python.tar.gz，也认 Keras 存的名字
   cifar-10-batches-py-target_archive 和以前的 cifar-10-batches-py.tar.gz
3. 图片文件夹 cifar10_images/train/frog/，国内网盘上常见
4. 从 DLPY_MIRROR 或多伦多大学的地址下载，170 MB，断了下次接着下载
5. 都不行就用 synthetic_frogs.py 画的合成青蛙

批次文件是 pickle，反序列化会执行里面的代码，所以先验证哈希，对上了才读
"""

import hashlib
import io
import os
import pickle
import tarfile

from common import datasets, synthetic_frogs
from common.datasets import DataFile, Unavailable

import numpy as np
from PIL import Image

FROG = 6  # 青蛙在 CIFAR-10 里的类别编号
COUNT = 5000
ARCHIVE = DataFile(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    170_498_071,
    site="https://www.cs.toronto.edu/~kriz",
)
# 训练集分成五个文件，MD5 由数据集的作者公布
BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
FOLDERS = [
    "cifar-10-batches-py-target/cifar-10-batches-py",
    "cifar-10-batches-py",
]
ARCHIVES = [
    ARCHIVE.name,
    "cifar-10-batches-py-target_archive",
    "cifar-10-batches-py.tar.gz",
]
PICTURES = "cifar10_images/train/frog"


# %% 三种来源


def _from_batches(read):
    """read(文件名) 返回一个批次文件的字节；返回青蛙，按原来的次序"""
    frogs = []
    for name, md5 in BATCHES.items():
        content = read(name)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise Unavailable(f"{name} 和官方的不同，MD5 对不上")
        batch = pickle.loads(content, encoding="bytes")
        images = batch[b"data"][np.array(batch[b"labels"]) == FROG]
        frogs.append(images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return np.concatenate(frogs)


def _from_folder(folder):
    return _from_batches(lambda name: (folder / name).read_bytes())


def _from_archive(path):
    """不往磁盘上解开，只读出五个批次文件"""
    if datasets._sha256(path) != ARCHIVE.sha256:
        raise Unavailable("和官方的不同，SHA-256 对不上，多半没有下载完")
    with tarfile.open(path) as archive:
        return _from_batches(
            lambda name: archive.extractfile(f"cifar-10-batches-py/{name}").read()
        )


def _from_pictures(folder):
    """一张图片一只青蛙，按文件名的次序；坏的、不是 32x32 的指出是哪个文件"""
    kinds = {".jpg", ".jpeg", ".png"}
    paths = [p for p in folder.iterdir() if p.suffix.lower() in kinds]
    if len(paths) < COUNT:
        raise Unavailable(f"有 {len(paths)} 张图片，应为 {COUNT} 张，多半没有复制完")
    frogs = []
    for path in sorted(paths, key=lambda path: (len(path.stem), path.stem))[:COUNT]:
        try:
            with Image.open(io.BytesIO(path.read_bytes())) as image:
                frog = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError):
            raise Unavailable(f"{path.name} 不是完好的图片，重新复制一次") from None
        if frog.shape != (32, 32, 3):
            raise Unavailable(f"{path.name} 应为 32x32，是 {frog.shape[:2]}")
        frogs.append(frog)
    print(f"青蛙来自图片文件夹 {folder}，是 JPEG 的话和原始数据略有出入")
    return np.stack(frogs)


# %% 从哪里找


def _sources():
    """缓存里的每个来源：(路径, 读它的函数)"""
    for place in (datasets.cache_dir(), datasets._fallback_dir()):
        for folder in FOLDERS:
            if os.path.exists(place / folder / "data_batch_1"):
                yield place / folder, _from_folder
        for name in ARCHIVES:
            if os.path.isfile(place / name):
                yield place / name, _from_archive
        if os.path.isdir(place / PICTURES):
            yield place / PICTURES, _from_pictures


def _obtain():
    """真实的青蛙；异常：Unavailable"""
    for path, read in _sources():
        try:
            return read(path)
        except Unavailable as problem:
            print(f"{path}：{problem}；跳过它")
        except OSError as error:
            print(f"读不了 {path}：{error.strerror}，跳过它")
    return _from_archive(datasets._download(ARCHIVE, datasets._download_part))


def status():
    """给 python -m common.datasets 看的一行：(文件, 大小, 状态, 位置)"""
    size = f"{ARCHIVE.size / 1e6:.1f} MB"
    state, where = "缺", ""
    for path, read in _sources():
        try:
            read(path)
            return path.name, size, "就绪，已验证", path
        except Unavailable:
            state, where = "损坏或不全", path
        except OSError as error:
            state, where = f"读不了：{error.strerror}", path
    return ARCHIVE.name, size, state, where


def prepare():
    """提前备好数据，python -m common.datasets download 用；返回是否成功"""
    try:
        _obtain()
        print("CIFAR-10 的青蛙：就绪")
        return True
    except Unavailable as problem:
        how = datasets._how_to_get([ARCHIVE])
        print(f"CIFAR-10 的青蛙：拿不到。{problem}\n{how}")
        return False


def load_frogs():
    """CIFAR-10 训练集里的青蛙，8.5 节

    返回：uint8，(5000, 32, 32, 3)
    异常：Fault，DLPY_DATA=real 而数据拿不到
    """
    return datasets._real_or_synthetic(
        "frogs", [ARCHIVE], _obtain, synthetic_frogs.make_frogs
    )
