"""猫狗照片：各种来源、各种坏照片和坏压缩包，结果要么对，要么一句话说清楚，什么都不丢"""

import dataclasses
import errno
import hashlib
import io
import zipfile
from types import SimpleNamespace

from common import Fault, datasets, explain, output, photos

import numpy as np
import pytest
from PIL import Image
from test_datasets import Server, forbid_writing

SPLITS = {"train": 4, "validation": 2, "test": 2}


def picture(number, mode="RGB", kind="JPEG", **options):
    """每个编号一张不同的照片"""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3)).astype("uint8"))
    content = io.BytesIO()
    image.convert(mode).save(content, kind, **options)
    return content.getvalue()


def kaggle(count=8, **changes):
    """Kaggle 的训练集：{路径: 内容}；changes 里 cat_3=… 换掉 train/cat.3.jpg"""
    members = {
        f"train/{name}.{i}.jpg": picture(i + 1000 * (name == "dog"))
        for name in ("cat", "dog")
        for i in range(count)
    }
    for key, content in changes.items():
        members[f"train/{key.replace('_', '.')}.jpg"] = content
    return members


def make_zip(members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


PET_IMAGES = make_zip(
    {
        f"PetImages/{name}/{i}.jpg": picture(i + 1000 * (name == "Dog"))
        for name in ("Cat", "Dog")
        for i in range(10)
    }
)


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """书中的张数换成每类 4、2、2 张；没有网络，缓存不能写时也没有别的去处"""
    monkeypatch.setattr(photos, "SPLITS", SPLITS)
    archive = dataclasses.replace(
        photos.ARCHIVE,
        sha256=hashlib.sha256(PET_IMAGES).hexdigest(),
        size=len(PET_IMAGES),
        site="http://127.0.0.1:9",
    )
    monkeypatch.setattr(photos, "ARCHIVE", archive)
    monkeypatch.setattr(datasets, "RETRY_WAIT", 0.01)
    monkeypatch.setattr(datasets, "_fallback_dir", lambda: datasets.cache_dir() / "x")
    monkeypatch.setenv("DLPY_DATA", "real")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    datasets.cache_dir().mkdir(parents=True)


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setattr(
        photos, "ARCHIVE", dataclasses.replace(photos.ARCHIVE, site=server.url)
    )
    yield server
    server.shutdown()
    server.server_close()


def put(name, content):
    path = datasets.cache_dir() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def small_set(**changes):
    """整理好的文件夹；changes 同 kaggle，None 表示没有这一张"""
    for name, offset in (("cat", 0), ("dog", 1000)):
        number = 0
        for split, count in SPLITS.items():
            for _ in range(count):
                content = changes.get(f"{name}_{number}", picture(number + offset))
                if content is not None:
                    path = f"cats_and_dogs_small/{split}/{name}s/{name}.{number}.jpg"
                    put(path, content)
                number += 1
    return datasets.cache_dir() / "cats_and_dogs_small"


def names(folder):
    return sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*.*") if p.is_file()
    )


def assert_is_the_books_set(bad=(), total=8):
    """六个文件夹里依次是编号最小的好照片，内容原样"""
    folders = photos.load_cats_dogs()
    root = datasets.cache_dir() / "cats_and_dogs_small"
    assert folders == tuple(root / split for split in SPLITS)
    for name, offset in (("cat", 0), ("dog", 1000)):
        good = iter(i for i in range(99) if (name, i) not in bad)
        for split, count in SPLITS.items():
            expected = {f"{name}.{next(good)}.jpg" for _ in range(count)}
            found = {p.name: p for p in (root / split / f"{name}s").iterdir()}
            assert set(found) == expected
            for filename, path in found.items():
                number = int(filename.split(".")[1])
                assert path.read_bytes() == picture(number + offset)
    everything = {p.name for p in datasets.cache_dir().iterdir()}
    hidden = {n for n in everything if n.startswith(".")}
    assert hidden <= {f".{photos.ARCHIVE.name}.lock"}


# %% 已经整理好的文件夹


def test_existing_folder_is_used_as_it_is(monkeypatch, capsys):
    folder = small_set()
    before = names(folder)
    assert_is_the_books_set()
    assert names(folder) == sorted([*before, "verified.txt"])
    # 检查过一遍就记下来，不再解码；换了一张再检查
    checked = []
    check = photos._problem
    monkeypatch.setattr(photos, "_problem", lambda c: checked.append(c) or check(c))
    photos.load_cats_dogs()
    assert checked == []
    put("cats_and_dogs_small/train/cats/cat.0.jpg", picture(77))
    photos.load_cats_dogs()
    assert picture(77) in checked and len(checked) == 16
    capsys.readouterr().out.encode("gbk")


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", "空文件"),
        (b"not a picture", "不是图片"),
        (picture(3)[:-200], "不完整"),
        (picture(3, kind="TIFF"), "TIFF"),
    ],
)
def test_bad_picture_is_moved_aside(capsys, content, problem):
    folder = small_set(dog_3=content)
    photos.load_cats_dogs()
    printed = capsys.readouterr().out
    assert problem in printed and "train/dogs 有 3 张，应有 4 张" in printed
    assert not (folder / "train/dogs/dog.3.jpg").exists()
    (aside,) = (folder / "damaged").rglob("dog.3.jpg")
    assert aside.read_bytes() == content


def test_two_bad_pictures_at_the_same_moment(monkeypatch):
    """Windows 的钟十几毫秒才走一格"""
    monkeypatch.setattr(photos.time, "time_ns", lambda: 1)
    folder = small_set(dog_0=b"x", dog_1=b"y")
    photos.load_cats_dogs()
    names = sorted(path.name for path in (folder / "damaged").rglob("*.jpg"))
    assert names == ["dog.0.jpg", "dog.1.jpg"]


@pytest.mark.parametrize(
    "options",
    [{"mode": "CMYK"}, {"kind": "PNG"}, {"mode": "RGBA", "kind": "PNG"}, {"mode": "L"}],
)
def test_unusual_but_good_pictures_stay(options):
    folder = small_set(cat_1=picture(1, **options))
    photos.load_cats_dogs()
    assert (folder / "train/cats/cat.1.jpg").exists()
    assert not (folder / "damaged").exists()


def test_bad_picture_in_a_read_only_folder(monkeypatch):
    folder = small_set(cat_1=b"x")

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(photos.Path, "mkdir", refuse)
    with pytest.raises(Fault, match=r"cat\.1\.jpg 不是图片.*删掉或换成好的"):
        photos.load_cats_dogs()
    assert (folder / "train/cats/cat.1.jpg").read_bytes() == b"x"


def test_read_only_folder_of_good_pictures(monkeypatch):
    small_set()

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(photos.Path, "write_text", refuse)
    photos.load_cats_dogs()


@pytest.mark.parametrize("missing", ["dog", "cat"])
def test_only_one_class(missing):
    small_set(**{f"{missing}_{i}": None for i in range(8)})
    with pytest.raises(Fault, match="拿不到 cats_dogs 的真实数据"):
        photos.load_cats_dogs()


def test_no_pictures_at_all():
    (datasets.cache_dir() / "cats_and_dogs_small/train/cats").mkdir(parents=True)
    put("cats_and_dogs_small/train/cats/readme.txt", b"none")
    with pytest.raises(Fault, match="kagglecatsanddogs_5340.zip"):
        photos.load_cats_dogs()


@pytest.mark.parametrize(
    "missing, message",
    [
        (("dog_5", "dog_6", "dog_7"), "test/dogs 有 0 张，应有 2 张"),
        (("cat_2",), "train/cats 有 3 张，应有 4 张"),
    ],
)
def test_half_built_folder_is_rebuilt_from_the_originals(capsys, missing, message):
    small_set(**dict.fromkeys(missing))
    put("train.zip", make_zip(kaggle()))
    assert_is_the_books_set()
    (aside,) = datasets.cache_dir().glob("cats_and_dogs_small.incomplete-*")
    assert len(list(aside.rglob("*.jpg"))) == 16 - len(missing)
    assert message in capsys.readouterr().out


# %% 原始照片


@pytest.mark.parametrize(
    "archive", ["train.zip", "dogs-vs-cats.zip", "猫狗cats-dogs.zip"]
)
def test_kaggle_zip(archive):
    put(archive, make_zip(kaggle(count=12)))
    assert_is_the_books_set()


def test_kaggle_zip_within_a_zip():
    members = {"train.zip": make_zip(kaggle()), "test1.zip": b"", "sample.csv": b"id"}
    put("dogs-vs-cats.zip", make_zip(members))
    assert_is_the_books_set()


@pytest.mark.parametrize(
    "folder", ["train", "dogs-vs-cats/train", "kaggle_original_data"]
)
def test_kaggle_unpacked(folder):
    for name, content in kaggle(count=9).items():
        put(f"{folder}/{name.removeprefix('train/')}", content)
    assert_is_the_books_set()


def test_microsoft_unpacked():
    for name, content in kaggle(count=9).items():
        kind, number, _ = name.removeprefix("train/").split(".")
        put(f"PetImages/{kind.capitalize()}/{number}.jpg", content)
    put("PetImages/Cat/Thumbs.db", b"x")
    assert_is_the_books_set()


def test_bad_originals_are_named_and_replaced(capsys):
    changes = {"cat_1": b"", "cat_5": picture(5)[:200], "dog_0": b"GIF? no"}
    put("train.zip", make_zip(kaggle(count=12, **changes)))
    assert_is_the_books_set(bad={("cat", 1), ("cat", 5), ("dog", 0)})
    printed = capsys.readouterr().out
    for name in ("cat.1", "cat.5", "dog.0"):
        assert f"照片 train/{name}.jpg" in printed
    printed.encode("gbk")


def test_member_with_a_wrong_checksum_is_replaced():
    content = make_zip(kaggle(count=9))
    at = content.index(picture(2)) + 200
    put("train.zip", content[:at] + b"?" + content[at + 1 :])
    assert_is_the_books_set(bad={("cat", 2)})


def test_nothing_escapes_from_a_zip(tmp_path, capsys):
    members = {"../../evil.jpg": picture(1), "/abs/cat.0.jpg": picture(50)}
    members |= {"../cat.1.jpg": picture(51), "C:\\cat.2.jpg": picture(52)}
    link = zipfile.ZipInfo("links/cat.3.jpg")
    link.external_attr = 0o120777 << 16
    content = io.BytesIO(make_zip(members | kaggle()))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    put("train.zip", content.getvalue())
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert_is_the_books_set()
    assert "5 个可疑的路径" in capsys.readouterr().out
    new = {p for p in tmp_path.rglob("*") if p.is_file()} - before
    assert all("cats_and_dogs_small" in p.parts for p in new)
    assert not any(p.is_symlink() for p in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "content, message",
    [
        (make_zip(kaggle())[:2000], "不是完整的 zip"),
        (make_zip(kaggle(count=7)), "cat 的照片只有 7 张"),
        (make_zip({f"cat.{i}.jpg": picture(i) for i in range(9)}), "dog 的照片只有 0"),
        (make_zip(kaggle(count=8, dog_2=b"")), "好的 dog 照片不够 8 张"),
        (make_zip({"train.zip": b"broken"}), "解不开"),
    ],
)
def test_useless_zip_is_left_alone(capsys, content, message):
    path = put("train.zip", content)
    with pytest.raises(Fault, match="拿不到 cats_dogs 的真实数据"):
        photos.load_cats_dogs()
    assert message in capsys.readouterr().out
    assert path.read_bytes() == content


def test_huge_zip_within_a_zip_is_not_unpacked(monkeypatch, capsys):
    put("dogs-vs-cats.zip", make_zip({"train.zip": make_zip(kaggle())}))
    monkeypatch.setattr(photos, "_MAX_ZIP", 1000)
    with pytest.raises(Fault, match="拿不到 cats_dogs 的真实数据"):
        photos.load_cats_dogs()
    assert "里的 train.zip 大得不对" in capsys.readouterr().out


def test_broken_originals_do_not_spoil_an_incomplete_folder(capsys):
    """少一张照片，原始的压缩包又是坏的：就用这些，不换成合成照片"""
    folder = small_set(cat_2=None)
    put("train.zip", make_zip(kaggle(count=7)))
    assert photos.load_cats_dogs()[0] == folder / "train"
    printed = capsys.readouterr().out
    assert "train/cats 有 3 张，应有 4 张" in printed
    assert printed.index("只有 7 张") < printed.index("原始照片都不行，就用")


# %% 整理到一半


def test_interrupted_build_is_resumed_but_not_trusted(monkeypatch):
    put("train.zip", make_zip(kaggle()))
    check, left = photos._problem, [11]

    def interrupted(content):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return check(content)

    monkeypatch.setattr(photos, "_problem", interrupted)
    with pytest.raises(KeyboardInterrupt):
        photos.load_cats_dogs()
    assert not (datasets.cache_dir() / "cats_and_dogs_small").exists()
    building = datasets.cache_dir() / ".cats_and_dogs_small.building"
    assert len(names(building)) == 11
    (building / "train/cats/cat.1.jpg").write_bytes(b"rotten")
    (building / "train/cats/cat.99.jpg").write_bytes(picture(99))
    checked = []
    monkeypatch.setattr(photos, "_problem", lambda c: checked.append(c) or check(c))
    assert_is_the_books_set()
    assert len(checked) == 6  # 坏了的一张，和还没有整理的五张


def test_full_disk(monkeypatch):
    put("train.zip", make_zip(kaggle()))
    write, left = photos.Path.write_bytes, [5]

    def full(self, content):
        left[0] -= 1
        if left[0] < 0:
            write(self, content[:10])
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return write(self, content)

    monkeypatch.setattr(photos.Path, "write_bytes", full)
    monkeypatch.setattr(photos.time, "sleep", lambda seconds: None)
    with pytest.raises(OSError) as error:
        photos.load_cats_dogs()
    assert explain(error.value).startswith("磁盘满了")
    assert not (datasets.cache_dir() / "cats_and_dogs_small").exists()
    monkeypatch.setattr(photos.Path, "write_bytes", write)
    assert_is_the_books_set()


def test_another_process_finishes_first(monkeypatch):
    put("train.zip", make_zip(kaggle()))
    fill = photos._fill

    def slower(building, *args):
        fill(building, *args)
        small_set()

    monkeypatch.setattr(photos, "_fill", slower)
    monkeypatch.setattr(photos.time, "sleep", lambda seconds: None)
    photos.load_cats_dogs()
    monkeypatch.setattr(photos, "_fill", fill)
    assert_is_the_books_set()
    assert not list(datasets.cache_dir().glob("*.incomplete-*"))


# %% 下载


def sender(server, ranges=True, cut=None):
    """一个会断线的服务器：第一次只发 cut 个字节；ranges，是否会从中间开始"""
    seen = []

    def answer(handler):
        wanted = handler.headers.get("Range")
        seen.append(wanted)
        start = int(wanted[6:-1]) if wanted and ranges else 0
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(PET_IMAGES) - start))
        handler.end_headers()
        end = cut if cut and len(seen) == 1 else None
        handler.wfile.write(PET_IMAGES[start:end])
        handler.close_connection = True

    server.files[f"/{photos.ARCHIVE.name}"] = answer
    return seen


def test_download(server, capsys):
    seen = sender(server)
    assert_is_the_books_set()
    assert seen == [None]
    printed = capsys.readouterr().out
    assert f"共 {len(PET_IMAGES) / 1e6:.0f} MB" in printed and "已下载 100%" in printed
    printed.encode("gbk")


def test_slow_download_says_how_long(monkeypatch, capsys):
    """每分钟只来一成：每过一成说还要多久"""
    clock = iter(range(0, 1000, 60))
    time = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(datasets, "time", time)
    response, stream = io.BytesIO(bytes(100)), io.BytesIO()
    response.read1 = lambda size: io.BytesIO.read(response, 10)
    datasets._copy(response, stream, 0, 100)
    assert stream.getvalue() == bytes(100)
    printed = capsys.readouterr().out.split("\n")
    assert printed[0] == "已下载 10%，还要约 9 分钟"
    assert printed[8:] == ["已下载 90%，还要约 60 秒", "已下载 100%", ""]


def test_interrupted_download_goes_on_where_it_stopped(server, capsys):
    seen = sender(server, cut=3000)
    assert_is_the_books_set()
    assert seen == [None, "bytes=3000-"]
    assert "下载中断" in capsys.readouterr().out


def test_download_goes_on_in_the_next_run(server):
    put(f"{photos.ARCHIVE.name}.part", PET_IMAGES[:5000])
    seen = sender(server)
    assert_is_the_books_set()
    assert seen == ["bytes=5000-"]


def test_two_downloads_at_once(server, monkeypatch, capsys):
    """另一个进程正在下载：等它，不往同一个 .part 里写；它下载好的直接用"""
    seen = sender(server)
    path = datasets.cache_dir() / photos.ARCHIVE.name
    lock = output.lock(path.with_name(f".{path.name}.lock"))
    waits = []

    def finish(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            path.write_bytes(PET_IMAGES)
            lock.close()

    monkeypatch.setattr(datasets.time, "sleep", finish)
    assert datasets._download(photos.ARCHIVE, datasets._download_part) == path
    assert seen == [] and waits == [1, 1]
    assert capsys.readouterr().out.count("另一个进程正在下载") == 1


def test_other_download_that_fails_is_taken_over(server, monkeypatch):
    seen = sender(server)
    path = datasets.cache_dir() / photos.ARCHIVE.name
    lock = output.lock(path.with_name(f".{path.name}.lock"))
    put(f"{path.name}.part", PET_IMAGES[:5000])
    monkeypatch.setattr(datasets.time, "sleep", lambda seconds: lock.close())
    datasets._download(photos.ARCHIVE, datasets._download_part)
    assert path.read_bytes() == PET_IMAGES and seen == ["bytes=5000-"]
    # 下载完就解锁，下一个脚本不用等
    output.lock(path.with_name(f".{path.name}.lock")).close()


def test_login_page_does_not_replace_what_is_there(server):
    """校园网、酒店的登录页，回答 200 和一个网页：已经下载的那一部分还在"""
    part = put(f"{photos.ARCHIVE.name}.part", PET_IMAGES[:5000])

    def login(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.send_header("Content-Length", "6")
        handler.end_headers()
        handler.wfile.write(b"<html>")

    server.files[f"/{photos.ARCHIVE.name}"] = login
    with pytest.raises(Fault, match="得到的是一个网页，多半要先在浏览器里登录网络"):
        photos.load_cats_dogs()
    assert part.read_bytes() == PET_IMAGES[:5000]


def test_server_that_cannot_start_in_the_middle(server):
    put(f"{photos.ARCHIVE.name}.part", b"?" * 5000)
    seen = sender(server, ranges=False)
    assert_is_the_books_set()
    assert seen == ["bytes=5000-"]


def test_wrong_bytes_from_the_mirror(server, monkeypatch):
    mirror = Server()
    wrong = PET_IMAGES[:-1] + b"?"
    mirror.files[f"/{photos.ARCHIVE.name}"] = wrong
    mirror.files[f"/datasets/{photos.ARCHIVE.name}"] = PET_IMAGES + b"more"
    monkeypatch.setenv("DLPY_MIRROR", mirror.url)
    seen = sender(server)
    assert_is_the_books_set()
    assert seen[-1] is None
    asides = [p.read_bytes() for p in datasets.cache_dir().glob("*.damaged-*")]
    assert wrong in asides and len(asides) == 2
    mirror.shutdown()
    mirror.server_close()


def test_rotten_beginning_is_downloaded_again(server):
    put(f"{photos.ARCHIVE.name}.part", b"?" * 5000)
    seen = sender(server)
    assert_is_the_books_set()
    assert seen == ["bytes=5000-", None]


def test_no_network(capsys, monkeypatch):
    with pytest.raises(Fault) as fault:
        photos.load_cats_dogs()
    assert "连接被拒绝" in str(fault.value) and photos.ARCHIVE.name in str(fault.value)
    monkeypatch.setenv("DLPY_DATA", "auto")
    drawn = []
    monkeypatch.setattr(
        photos.synthetic_photos, "make_cats_dogs", lambda *args: drawn.append(args)
    )
    folders = photos.load_cats_dogs()
    folder = datasets.cache_dir() / "synthetic_cats_and_dogs"
    assert drawn == [(folder, (4, 2, 2))]
    assert folders[0] == folder / "train"
    assert output.synthetic_in_use == {"cats_dogs"}
    assert "【合成数据】" in capsys.readouterr().out


# %% 命令行，读者自己的照片


def test_status_and_prepare(capsys):
    assert photos.status()[2] == "缺"
    assert photos.prepare() is False
    put("train.zip", make_zip(kaggle()))
    assert photos.status()[0] == "train.zip"
    assert datasets._command_line(["download", "cats_dogs"]) == 0
    assert photos.status()[2] == "就绪"
    (datasets.cache_dir() / "cats_and_dogs_small/test/cats/cat.6.jpg").unlink()
    assert photos.status()[2] == "照片不全"
    datasets._command_line([])
    assert "照片不全" in capsys.readouterr().out


def test_nowhere_to_draw(monkeypatch, tmp_path):
    """合成照片也没有地方放：停下说明"""
    forbid_writing(monkeypatch, tmp_path)
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    with pytest.raises(Fault, match="没有可以写入的缓存文件夹"):
        photos.load_cats_dogs()


def test_refused_download_is_not_taken_for_originals():
    """验证没有通过、没有下载完的压缩包，下一次运行也不用"""
    for ending in (".damaged-1", ".part"):
        path = datasets.cache_dir() / f"kagglecatsanddogs_5340.zip{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("PetImages/Cat/0.jpg", b"")
    assert list(photos._originals()) == []


def test_load_photo(tmp_path):
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
        assert photos.load_photo(path, (10, 12)).shape == (10, 12, 3)


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "没有这张照片"),
        (b"text", "不是认识的图片格式"),
        (picture(1)[:400], "读不了照片"),
    ],
)
def test_load_bad_photo(tmp_path, content, message):
    path = tmp_path / "cat.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Fault, match=message):
        photos.load_photo(path, (10, 10))
