"""猫狗照片，5.2 节：整理成书中的文件夹；也读读者自己的照片"""

import re
import shutil
import zipfile
from contextlib import suppress
from functools import partial
from pathlib import Path

from common import Fault, synthetic
from common.download import FILES, Unavailable, cache_dir, load, obtain

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

SPLITS = {"train": 1000, "validation": 500, "test": 500}  # 每一类的张数
KINDS = {".jpg", ".jpeg", ".png", ".bmp", ".gif"}
Image.MAX_IMAGE_PIXELS = None  # 读者自己的照片，多大都读
PHOTO = re.compile(r"(?:^|/)(cat|dog)s?[./](\d+)\.jpg$", re.IGNORECASE)


def clean_path(text):
    """粘贴来的路径：去掉两头的引号，和 Windows 在属性窗口里带上的看不见的字符"""
    return Path(str(text).strip("\u202a\u202c \"'"))


def pictures(folder):
    """一个文件夹里的全部照片，pathlib.Path 的列表，按名字排好；macOS 的 ._ 文件不算"""
    return sorted(p for p in folder.glob("[!.]*") if p.suffix.lower() in KINDS)


def load_photo(path, size):
    """读一张照片，转正，缩放成 (高, 宽)，做法和 image_dataset_from_directory 相同

    返回：uint8，(高, 宽, 3)
    异常：Fault，读不了
    """
    try:
        image = Image.open(clean_path(path))
        image.draft("RGB", (4 * size[1], 4 * size[0]))  # 太大的 JPEG 边解码边缩小
        with suppress(Exception):  # 照片的附加信息不合规格，那就不转
            image = ImageOps.exif_transpose(image)
        pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        why = "路径写对了没有？HEIC 要先转换成 JPEG"
        raise Fault(f"读不了照片 {path}（{error}）：{why}") from None
    return tf.image.resize(pixels, size).numpy().astype("uint8")


def load_cats_dogs():
    """猫狗照片，5.2 节，整理成书中的文件夹

    返回：(train_dir, validation_dir, test_dir)，pathlib.Path，每个里面有 cats/ 和
        dogs/，照片各 1000、500、500 张，大小不一
    """
    drawn = cache_dir() / "synthetic_cats_and_dogs"
    make = partial(synthetic.make_cats_dogs, drawn)
    folder = load("cats_dogs", find_cats_dogs, make)
    return tuple(folder / split for split in SPLITS)


def find_cats_dogs():
    """依次找整理好的文件夹、Kaggle 的 train.zip、微软的压缩包，都没有就下载"""
    folder, archive = cache_dir() / "cats_and_dogs_small", cache_dir() / "train.zip"
    if not folder.is_dir() and not archive.is_file():
        obtain("cats_dogs", lambda path: None)  # 只下载和验证；整理出错，不必重新下载
        archive = cache_dir() / FILES["cats_dogs"].name
    if not folder.is_dir():
        build(archive, folder)
    set_bad_photos_aside(folder)
    for split, count in SPLITS.items():
        for name in ("cats", "dogs"):
            found = len(pictures(folder / split / name))
            if not found:
                raise Unavailable(f"{folder / split / name} 里没有照片")
            if found < count:
                print(f"{folder / split / name} 只有 {found} 张，应有 {count} 张")
    return folder


def set_bad_photos_aside(folder):
    """一张坏照片就会让训练停在半路，所以第一次用时逐张解码，坏的改名

    macOS 留下的 ._ 文件也叫 .jpg，Keras 会当成照片来读，所以也一样改名
    """
    paths = [path for path in folder.glob("*/*/*") if path.suffix.lower() in KINDS]
    if (folder / f"checked-{len(paths)}").exists():  # 张数变了，再检查一遍
        return
    print("每张照片检查一遍，要几十秒")
    bad = [path for path in paths if not is_good(path.read_bytes())]
    for path in bad:
        path.rename(path.with_name(f"{path.name}.damaged"))
    if bad:
        names = "、".join(path.name for path in bad[:5])
        print(f"{len(bad)} 张照片是坏的，已改名，后面加上 .damaged：{names}……")
    with suppress(OSError):  # 只读的文件夹，下次再检查
        (folder / f"checked-{len(paths) - len(bad)}").touch()


def build(archive, folder):
    """从压缩包取编号最小的好照片，完整之后才改成正式的名字；不按压缩包里的路径解开"""
    print(f"从 {archive} 整理出 {folder}，每张照片检查一遍，要几十秒")
    building = folder.with_name(f".{folder.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as photos:
            found = [(PHOTO.search(n), n) for n in photos.namelist()]
            found = sorted((m[1].lower(), int(m[2]), n) for m, n in found if m)
            for kind in ("cat", "dog"):
                numbers = iter([(i, n) for k, i, n in found if k == kind])
                for split, count in SPLITS.items():
                    target = building / split / f"{kind}s"
                    target.mkdir(parents=True)
                    while len(pictures(target)) < count:
                        number, name = next(numbers)
                        content = photos.read(name)
                        if is_good(content):
                            (target / f"{kind}.{number}.jpg").write_bytes(content)
                        else:
                            print(f"照片 {name} 坏了，取下一张")
    except (StopIteration, zipfile.BadZipFile) as error:
        raise Unavailable(f"{archive} 解不开，或者好照片不够（{error!r}）") from None
    (building / f"checked-{2 * sum(SPLITS.values())}").touch()
    building.replace(folder)


def is_good(content):
    """训练时读照片的是 TensorFlow，所以用它解码一遍"""
    try:
        tf.io.decode_image(content, channels=3, expand_animations=False)
    except tf.errors.OpError:
        return False
    return True
