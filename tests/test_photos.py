"""猫狗照片：各种来源、各种坏照片和坏压缩包，结果要么对，要么说清楚，什么都不丢"""

import io
import zipfile
from unittest.mock import Mock

from common import Fault, download, photos, synthetic_in_use

import numpy as np
import pytest
from PIL import Image
from small_files import put

SPLITS = {"train": 4, "validation": 2, "test": 2}


def picture(number, mode="RGB", kind="JPEG"):
    """每个编号一张不同的照片"""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3)).astype("uint8"))
    content = io.BytesIO()
    image.convert(mode).save(content, kind)
    return content.getvalue()


def animals(count):
    """(cat 或 dog, 编号, 照片)"""
    return [
        (kind, i, picture(i + offset))
        for kind, offset in (("cat", 0), ("dog", 1000))
        for i in range(count)
    ]


def make_zip(pattern="train/{0}.{1}.jpg", count=10, **changes):
    """原始照片；changes 里 cat_3=… 换掉 3 号猫"""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for kind, i, photo in animals(count):
            photo = changes.get(f"{kind}_{i}", photo)
            archive.writestr(pattern.format(kind, i, kind.capitalize()), photo)
        for i in range(50, 60):
            archive.writestr(f"../../{i}/cat.{i}.jpg", picture(i))
    return content.getvalue()


@pytest.fixture(autouse=True)
def few(monkeypatch, small):
    """书中的张数换成每类 4、2、2 张"""
    monkeypatch.setattr(photos, "SPLITS", SPLITS)


def root():
    return download.cache_dir() / "cats_and_dogs_small"


def small_set(**changes):
    """整理好的文件夹；changes 同 make_zip，None 表示没有这一张"""
    splits = [split for split, count in SPLITS.items() for _ in range(count)]
    for kind, i, photo in animals(8):
        photo = changes.get(f"{kind}_{i}", photo)
        if photo is not None:
            put(f"cats_and_dogs_small/{splits[i]}/{kind}s/{kind}.{i}.jpg", photo)


def assert_is_the_books_set(bad=()):
    """六个文件夹里依次是编号最小的好照片，内容原样，别的什么也没有"""
    assert photos.load_cats_dogs() == tuple(root() / split for split in SPLITS)
    good = {(kind, i): photo for kind, i, photo in animals(20) if (kind, i) not in bad}
    for kind in ("cat", "dog"):
        expected = [(i, photo) for (k, i), photo in good.items() if k == kind]
        for split, count in SPLITS.items():
            files = (root() / split / f"{kind}s").iterdir()
            found = {path.name: path.read_bytes() for path in files}
            assert found == {f"{kind}.{i}.jpg": photo for i, photo in expected[:count]}
            del expected[:count]
    assert synthetic_in_use == set()


def test_folder_is_used_as_it_is(monkeypatch, capsys):
    """第一次用时检查一遍就记下来，不再解码；张数变了再检查"""
    small_set()
    assert_is_the_books_set()
    checked, check = [], photos.is_good
    monkeypatch.setattr(photos, "is_good", lambda c: checked.append(c) or check(c))
    assert_is_the_books_set()
    assert checked == []
    put("cats_and_dogs_small/train/cats/cat.99.jpg", b"bad")
    photos.load_cats_dogs()
    assert len(checked) == 17 and "cat.99.jpg" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not a picture", picture(3)[:-200]])
def test_bad_photo_is_renamed(capsys, content):
    """特别的照片不算坏；macOS 的 ._ 文件不是照片，也不能留给 Keras 去读"""
    small_set(dog_3=content, cat_1=picture(1, "CMYK"), cat_2=picture(2, "RGBA", "PNG"))
    put("cats_and_dogs_small/train/cats/._cat.0.jpg", b"Mac OS X")
    photos.load_cats_dogs()
    printed = capsys.readouterr().out
    assert "dog.3.jpg" in printed and printed.count("张，应有 4 张") == 1
    names = {path.name: path for path in root().glob("train/*/*")}
    assert len([name for name in names if name.endswith(".jpg")]) == 7
    assert names["dog.3.jpg.damaged"].read_bytes() == content


def test_kaggle_zip(capsys):
    """坏的照片指出来，取下一张"""
    changes = {"cat_1": b"", "cat_5": picture(5)[:200], "dog_0": b"GIF? no"}
    put("train.zip", make_zip(**changes))
    assert_is_the_books_set(bad={("cat", 1), ("cat", 5), ("dog", 0)})
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("cat.1.jpg", "cat.5.jpg", "dog.0.jpg"))


def test_microsoft_zip_is_downloaded_once(small, servers, tmp_path, monkeypatch):
    """已经有了，整理到一半磁盘满了，也不再下载；也不会解到别的文件夹里去"""
    content, server = make_zip("PetImages/{2}/{1}.jpg"), servers()
    small("cats_dogs", content, site=server.url)
    server.files = {"/kagglecatsanddogs_5340.zip": content}
    path = put("kagglecatsanddogs_5340.zip", content)
    with monkeypatch.context() as patch:
        patch.setattr(photos, "is_good", Mock(side_effect=OSError("磁盘满了")))
        patch.setenv("DLPY_DATA", "real")
        with pytest.raises(Fault, match="磁盘满了"):
            photos.load_cats_dogs()
    assert server.requests == []
    path.unlink()
    for _ in range(2):
        assert_is_the_books_set()
    assert len(server.requests) == 1
    assert all(root() in path.parents for path in tmp_path.rglob("*.jpg"))


@pytest.mark.parametrize("content", [make_zip(count=7), b"PK no zip"])
def test_useless_zip_stays(content, capsys):
    """照片不够、解不开：压缩包原样留着，没有半个文件夹；换成好的压缩包，就整理出来"""
    path = put("train.zip", content)
    photos.load_cats_dogs()
    assert path.read_bytes() == content and not root().exists()
    assert synthetic_in_use == {"cats_dogs"}
    assert "解不开，或者好照片不够" in capsys.readouterr().out
    put("train.zip", make_zip())
    assert_is_the_books_set()


def test_own_photo_is_turned_and_resized(tmp_path):
    """相机横着拍的照片转正；透明的、黑白的、CMYK 的都变成三个通道；路径是粘贴来的"""
    path = tmp_path / "我的 猫.jpg"
    image = np.zeros((20, 40, 3), "uint8")
    image[:, 20:] = 255  # 右半边是白的
    exif = Image.Exif()
    exif[0x0112] = 6  # 要顺时针转 90 度
    Image.fromarray(image).save(path, quality=100, exif=exif)
    photo = photos.load_photo(path, (80, 30))
    assert photo.shape == (80, 30, 3) and photo.dtype == np.uint8
    assert photo[:30].max() < 20 and photo[50:].min() > 235
    for mode, kind in [("RGBA", "PNG"), ("L", "PNG"), ("CMYK", "JPEG")]:
        path.write_bytes(picture(1, mode, kind))
        assert photos.load_photo(f"'\u202a{path}'", (10, 12)).shape == (10, 12, 3)


def test_own_photo_with_odd_metadata(tmp_path):
    """好照片，附加信息里却有一个不合规格的数：照样用，只是不转正"""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\2\x01\x12\0\3\0\0\0\1\0\6\0\0"
    exif += b"\x01\x1a\0\x0a\0\0\0\1\0\0\0\x26\0\0\0\0\xff\xff\xff\xff\0\0\0\3"
    Image.new("RGB", (40, 20), (9, 200, 9)).save(tmp_path / "odd.jpg", exif=exif)
    color = photos.load_photo(tmp_path / "odd.jpg", (20, 40)).mean(axis=(0, 1))
    assert np.abs(color - [9, 200, 9]).max() < 5


def test_own_huge_photo_is_shrunk_while_decoding(tmp_path, monkeypatch):
    """几亿像素的 JPEG 边解码边缩小，不占几个 GB 的内存"""
    path = tmp_path / "huge.jpg"
    Image.new("RGB", (4000, 3000), (200, 9, 9)).save(path)
    sizes, convert = [], Image.Image.convert

    def spy(self, *args):
        sizes.append(self.size)
        return convert(self, *args)

    monkeypatch.setattr(Image.Image, "convert", spy)
    color = photos.load_photo(path, (50, 60)).mean(axis=(0, 1))
    assert sizes[0] == (500, 375) and np.abs(color - [200, 9, 9]).max() < 5
    assert Image.MAX_IMAGE_PIXELS is None  # 不然近两亿像素的就不肯读


@pytest.mark.parametrize("content", [b"", b"not a picture", picture(3)[:-200]])
def test_own_photo_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(Fault, match="读不了照片.*x.jpg.*HEIC"):
        photos.load_photo(str(path), (20, 30))
