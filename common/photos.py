"""猫狗照片，5.2 节：从哪里找、怎么整理成书中的文件夹；也读读者自己的照片

load_cats_dogs 依次试：
1. 缓存文件夹里已经整理好的 cats_and_dogs_small/
2. 放进缓存文件夹的原始照片，压缩包或解开的都行：Kaggle 的 dogs-vs-cats（train.zip），
   或者微软的 kagglecatsanddogs_5340.zip（PetImages）
3. 从 DLPY_MIRROR 或微软的地址下载，825 MB，断了下次接着下载
4. 都不行就用 synthetic_photos.py 画的合成照片

压缩包从不按它自己写的路径解开，只读出里面的照片，存成我们定的名字
"""

import hashlib
import io
import os
import re
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

from common import Fault, datasets, output, synthetic_photos
from common.datasets import DataFile, Unavailable

import numpy as np
from PIL import Image, ImageOps

SPLITS = {"train": 1000, "validation": 500, "test": 500}  # 每一类的张数，同书中
CLASSES = ("cat", "dog")
ARCHIVE = DataFile(
    "kagglecatsanddogs_5340.zip",
    "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
    824_887_076,
    site="https://download.microsoft.com/download/3/E/1/"
    "3E1C3F21-ECDB-4869-8368-6DEBA77B919F",
)

# 原始照片的文件夹或压缩包叫什么名字；照片叫 cat.0.jpg（Kaggle）或 Cat/0.jpg（微软）
_ORIGINALS = re.compile(
    r"(?!.*(synthetic|\.damaged-|\.part$))"
    r"(.*cats?.*dogs?.*|.*dogs?.*cats?.*|kaggle_original_data|petimages|train)"
    r"(\.zip)?",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"(?:^|/)(cat|dog)s?[./](\d+)\.(jpe?g|png)$", re.IGNORECASE)
_MAX_BYTES = 50_000_000  # 一张照片不会这么大，防备恶意的压缩包
_MAX_ZIP = 2_000_000_000  # Kaggle 的 train.zip 是 0.6 GB


# %% 一张照片是不是好的


def _problem(content):
    """照片有什么毛病，返回一个短语；没有毛病返回 None

    先用 Pillow 看，再用 TensorFlow 解码一遍，因为训练时读照片的是它：一张坏照片就会
    让训练停在半路
    """
    import tensorflow as tf  # 只列出状态时用不着，不必等它导入

    if not content:
        return "空文件"
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format not in {"JPEG", "PNG", "GIF", "BMP"}:
                return f"是 {image.format} 格式"
            image.load()
    except Image.UnidentifiedImageError:
        return "不是图片"
    except Exception:  # 来历不明的文件，解析时什么异常都可能有
        return "不完整或者已损坏"
    try:
        tf.io.decode_image(content, channels=3, expand_animations=False)
    except tf.errors.OpError:
        return "TensorFlow 解码失败"
    return None


def load_photo(path, size):
    """读一张照片，缩放成网络要的大小，5.2 节

    参数：path，照片的路径；size，(高, 宽)，单位像素
    返回：uint8，(高, 宽, 3)
    异常：Fault，没有这个文件，或者不是完好的图片
    """
    import tensorflow as tf  # 只列出状态时用不着，不必等它导入

    try:
        with Image.open(path) as image:
            image = ImageOps.exif_transpose(image)  # 手机竖着拍的照片要转正
            image = np.asarray(image.convert("RGB"))
        # 缩放的算法和 image_dataset_from_directory 相同
        return tf.image.resize(image, size).numpy().astype("uint8")
    except FileNotFoundError:
        raise Fault(f"没有这张照片：{path}，看看路径和扩展名写得对不对") from None
    except Image.UnidentifiedImageError:
        raise Fault(
            f"{path} 不是认识的图片格式，换成 JPEG 或 PNG（iPhone 的 HEIC 要先转换）"
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Fault(f"读不了照片 {path}：{error}") from None


# %% 已经整理好的文件夹


def _class_folders(folder):
    """六个子文件夹，{路径: 应有的张数}"""
    return {
        folder / split / f"{name}s": count
        for split, count in SPLITS.items()
        for name in CLASSES
    }


def pictures(folder):
    """一个文件夹里的全部照片，5.2 节

    返回：pathlib.Path 的列表，按名字排好；没有这个文件夹是空的
    """
    suffixes = {".jpg", ".jpeg", ".png", ".bmp", ".gif"}
    try:
        paths = sorted(Path(folder).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in paths if path.suffix.lower() in suffixes]


def _all_pictures(folder):
    return [path for group in _class_folders(folder) for path in pictures(group)]


def _set_bad_ones_aside(folder):
    """把整理好的文件夹里的每张照片解码一遍，坏的挪到 damaged/，不删

    全部检查过就在 verified.txt 记下照片的大小和修改时间，没有变化就不必再检查
    异常：Fault，有坏照片而挪不动
    """
    paths = _all_pictures(folder)
    mark = folder / "verified.txt"
    if mark.is_file() and mark.read_text(encoding="utf-8") == _digest(folder, paths):
        return
    good = []
    for path in paths:
        problem = _problem(path.read_bytes())
        if problem is None:
            good.append(path)
            continue
        name = path.relative_to(folder)
        aside = folder / "damaged" / f"{time.time_ns()}" / name
        try:
            # Windows 的钟走得粗，两张坏照片会得到同一个时间
            aside.parent.mkdir(parents=True, exist_ok=True)
            output.move(path, aside)
        except OSError as error:
            raise Fault(
                f"照片 {path} {problem}，会让训练停在半路；想把它挪开，但是"
                f"{error.strerror}。把它删掉或换成好的照片，再运行一次"
            ) from None
        print(f"照片 {name} {problem}，挪到了 {aside}")
    _mark_as_verified(folder, good)


def _mark_as_verified(folder, paths):
    try:
        with output.complete_file(folder / "verified.txt") as temporary:
            temporary.write_text(_digest(folder, paths), encoding="utf-8")
    except OSError:  # 只读的缓存，下次再检查一遍
        pass


def _digest(folder, paths):
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        line = f"{path.relative_to(folder)} {status.st_size} {status.st_mtime_ns}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def _missing(folder):
    """和书中比少了哪些，{子文件夹: (有几张, 应有几张)}"""
    found = {group: len(pictures(group)) for group in _class_folders(folder)}
    return {
        group: (found[group], count)
        for group, count in _class_folders(folder).items()
        if found[group] < count
    }


def _describe(folder, missing):
    return "、".join(
        f"{group.relative_to(folder).as_posix()} 有 {found} 张，应有 {count} 张"
        for group, (found, count) in missing.items()
    )


def _folders():
    """缓存里已经有的 cats_and_dogs_small"""
    for place in (datasets.cache_dir(), datasets._fallback_dir()):
        folder = place / "cats_and_dogs_small"
        if os.path.isdir(folder):
            yield folder


def _existing():
    """返回 (已经整理好的文件夹, 照片全不全)；没有、少了一整类是 (None, False)"""
    incomplete = None
    for folder in _folders():
        _set_bad_ones_aside(folder)
        missing = _missing(folder)
        if not missing:
            return folder, True
        print(f"{folder} 里的照片不全：{_describe(folder, missing)}")
        if all(found for found, _ in missing.values()):
            incomplete = incomplete or folder
    return incomplete, False


# %% 从原始照片整理


def _originals():
    """缓存文件夹里可能装着原始照片的文件夹和压缩包"""
    found = []
    for place in (datasets.cache_dir(), datasets._fallback_dir()):
        try:
            paths = sorted(place.iterdir())
        except OSError:
            continue
        for path in paths:
            small = path.name.startswith("cats_and_dogs_small")
            if not _ORIGINALS.fullmatch(path.name) or (small and path.is_dir()):
                continue
            if path.name.startswith("."):  # 整理到一半的
                continue
            if path.is_dir() or zipfile.is_zipfile(path):
                found.append(path)
            elif path.suffix.lower() == ".zip":
                print(f"{path} 不是完整的 zip，多半没有下载完，跳过它")
    return found


def _index(names):
    """从路径里认出照片，返回 {类别: [(编号, 路径), …]}，按编号排好，重复的只取一个"""
    found = {name: {} for name in CLASSES}
    for name in names:
        match = _PICTURE.search(name.replace(os.sep, "/"))
        if match:
            found[match[1].lower()].setdefault(int(match[2]), name)
    return {name: sorted(numbers.items()) for name, numbers in found.items()}


def _is_suspicious(member):
    """压缩包里往外跑的路径和符号链接"""
    name = member.filename.replace("\\", "/")
    outside = name.startswith("/") or ":" in name or ".." in name.split("/")
    return outside or stat.S_ISLNK(member.external_attr >> 16)


def _build_from(source, folder):
    """从一个文件夹或压缩包整理出 folder

    异常：Unavailable，里面的好照片不够
    """
    if source.is_dir():
        names = (str(p.relative_to(source)) for p in source.rglob("*") if p.is_file())
        _build(source, _index(names), lambda name: (source / name).read_bytes(), folder)
        return
    try:
        with zipfile.ZipFile(source) as archive:
            _build_from_zip(source, archive, folder)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise Unavailable(f"{source} 解不开（{error}）") from None


def _build_from_zip(source, archive, folder):
    members = [m for m in archive.infolist() if not m.is_dir()]
    suspicious = [m.filename for m in members if _is_suspicious(m)]
    if suspicious:
        print(f"{source} 里有 {len(suspicious)} 个可疑的路径，不读：{suspicious[0]} 等")
    members = {m.filename: m for m in members if not _is_suspicious(m)}
    inner = [name for name in members if Path(name).name.lower() == "train.zip"]
    if inner:  # Kaggle 的 dogs-vs-cats.zip 里面还有一层
        if members[inner[0]].file_size > _MAX_ZIP:
            raise Unavailable(f"{source} 里的 {inner[0]} 大得不对")
        # 名字同下载的临时文件夹，强行结束来不及删的，过一天会删
        with tempfile.TemporaryDirectory(
            prefix=".download-", dir=folder.parent, ignore_cleanup_errors=True
        ) as temporary:
            unpacked = Path(temporary) / "train.zip"
            with archive.open(inner[0]) as packed, open(unpacked, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
            with zipfile.ZipFile(unpacked) as archive:
                _build_from_zip(source, archive, folder)
        return

    def read(name):
        if members[name].file_size > _MAX_BYTES:
            return b""
        try:
            return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            return b""  # 这一张坏了，取下一张

    _build(source, _index(members), read, folder)


def _build(source, index, read, folder):
    """取编号最小的好照片，整理成 folder；中断了下次接着来，完整之后才改成正式的名字

    参数：index，_index 的结果；read，由路径读出内容的函数
    """
    total = sum(SPLITS.values())
    for name in CLASSES:
        if len(index[name]) < total:
            raise Unavailable(f"{source} 里 {name} 的照片只有 {len(index[name])} 张")
    print(f"从 {source} 整理出 {folder}，每张照片检查一遍，要几十秒", flush=True)
    building = folder.with_name(f".{folder.name}.building")
    try:
        _fill(building, source, index, read)
        if folder.exists() and _missing(folder):
            aside = folder.with_name(f"{folder.name}.incomplete-{time.time_ns()}")
            output.move(folder, aside)
            print(f"原来不全的文件夹改名为 {aside.name}")
        output.move(building, folder)
        _mark_as_verified(folder, _all_pictures(folder))
    except OSError:
        # 另一个进程同时在整理，抢先完成了
        time.sleep(1)
        if not folder.exists() or _missing(folder):
            raise
        shutil.rmtree(building, ignore_errors=True)


def _fill(building, source, index, read):
    """把选中的照片都存进 building，别的都删掉"""
    expected = set()
    for name in CLASSES:
        candidates = iter(index[name])
        for split, count in SPLITS.items():
            target = building / split / f"{name}s"
            target.mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                expected.add(_next_good(source, candidates, read, target, name))
    for path in building.rglob("*"):  # 上次中断时留下的、这次用不着的
        if path.is_file() and path not in expected:
            path.unlink()


def _next_good(source, candidates, read, target, name):
    """取下一张好照片存进 target，坏的跳过并说明，返回存成的路径"""
    for number, original in candidates:
        content = read(original)
        path = target / f"{name}.{number}{Path(original).suffix.lower()}"
        if content and path.is_file() and path.read_bytes() == content:
            return path  # 上次中断之前已经检查过、存好了
        problem = _problem(content)
        if problem is None:
            # 不等磁盘：四千张各等一次要很久，断电留下的坏照片下次检查得出来
            with output.complete_file(path, sync=False) as temporary:
                temporary.write_bytes(content)
            return path
        print(f"照片 {original} {problem}，不用它，取下一张")
    raise Unavailable(f"{source} 里好的 {name} 照片不够 {sum(SPLITS.values())} 张")


# %% 下载


def _obtain():
    """整理好的真实照片的文件夹；异常：Unavailable"""
    existing, whole = _existing()
    if whole:
        return existing
    sources = _originals()
    if existing and not sources:
        print("没有原始照片可以补，就用这些，结果会和书中的差一些")
        return existing
    folder = datasets._writable_folder() / "cats_and_dogs_small"
    datasets._remove_leftovers(folder.parent)
    for source in sources:
        try:
            _build_from(source, folder)
            return folder
        except Unavailable as problem:
            print(f"{problem}，跳过它")
    if existing:
        print("原始照片都不行，就用整理好的这些，结果会和书中的差一些")
        return existing
    _build_from(datasets._download(ARCHIVE, datasets._download_part), folder)
    return folder


def _synthetic():
    try:
        folder = datasets._writable_folder() / "synthetic_cats_and_dogs"
    except Unavailable as problem:
        raise Fault(str(problem)) from None
    print(f"合成照片画在 {folder}，第一次要一分钟左右", flush=True)
    synthetic_photos.make_cats_dogs(folder, tuple(SPLITS.values()))
    return folder


def status():
    """给 python -m common.datasets 看的一行：(文件, 大小, 状态, 位置)"""
    size = f"{ARCHIVE.size / 1e6:.1f} MB"
    for folder in _folders():
        state = "照片不全" if _missing(folder) else "就绪"
        return folder.name, size, state, folder
    for source in _originals():
        return source.name, size, "有原始照片，还没有整理", source
    return ARCHIVE.name, size, "缺", ""


def prepare():
    """提前备好照片，python -m common.datasets download 用；返回是否成功"""
    try:
        print(f"cats_and_dogs_small：就绪，在 {_obtain()}")
        return True
    except Unavailable as problem:
        how = datasets._how_to_get([ARCHIVE])
        print(f"cats_and_dogs_small：拿不到。{problem}\n{how}")
        return False


def load_cats_dogs():
    """猫狗照片，5.2 节，整理成书中的文件夹

    返回：(train_dir, validation_dir, test_dir)，pathlib.Path，每个里面有 cats/ 和
        dogs/，照片各 1000、500、500 张，大小不一
    异常：Fault，DLPY_DATA=real 而照片拿不到；坏照片挪不开
    """
    folder = datasets._real_or_synthetic("cats_dogs", [ARCHIVE], _obtain, _synthetic)
    return tuple(folder / split for split in SPLITS)
