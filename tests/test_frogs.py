"""CIFAR-10 的青蛙：三种来源读出来的一样；坏的不读、不执行，说清楚是哪个"""

import dataclasses
import hashlib
import io
import pickle
import tarfile

from common import Fault, datasets, frogs, output, synthetic_frogs

import numpy as np
import pytest
from PIL import Image
from test_datasets import Server

COUNT = 12
RNG = np.random.default_rng(0)
DATA = RNG.integers(0, 256, (5, 10, 3072)).astype("uint8")
LABELS = [[6, 0, 6, 3, 1, 6, 9, 2, 4, 5]] * 3 + [[6, 1, 2, 6, 3, 4, 5, 7, 8, 9]]
LABELS += [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]
BATCHES = {
    f"data_batch_{i + 1}": pickle.dumps(
        {b"data": DATA[i], b"labels": LABELS[i]}, protocol=2
    )
    for i in range(5)
}


def expected():
    """照定义一张一张地拆：先是 1024 个红，再是绿、蓝，每行 32 个"""
    result = []
    for data, labels in zip(DATA, LABELS):
        for row, label in zip(data, labels):
            if label == 6:
                red, green, blue = (row[i * 1024 : (i + 1) * 1024] for i in range(3))
                result.append(np.stack([red, green, blue], -1).reshape(32, 32, 3))
    return np.stack(result)


def archive(batches=BATCHES):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


ARCHIVE = archive()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """五个批次共 12 只青蛙；哈希换成它们的"""
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in BATCHES.items()}
    monkeypatch.setattr(frogs, "BATCHES", md5)
    monkeypatch.setattr(frogs, "COUNT", COUNT)
    file = dataclasses.replace(
        frogs.ARCHIVE,
        sha256=hashlib.sha256(ARCHIVE).hexdigest(),
        size=len(ARCHIVE),
        site="http://127.0.0.1:9",
    )
    monkeypatch.setattr(frogs, "ARCHIVE", file)
    monkeypatch.setattr(datasets, "_fallback_dir", lambda: datasets.cache_dir() / "x")
    monkeypatch.setattr(datasets, "RETRY_WAIT", 0.01)
    monkeypatch.setenv("DLPY_DATA", "real")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    datasets.cache_dir().mkdir(parents=True)


def put(name, content):
    path = datasets.cache_dir() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def put_batches(folder, **changes):
    for name, content in (BATCHES | changes).items():
        put(f"{folder}/{name}", content)


def put_pictures(count=COUNT, kind="png"):
    for i, frog in enumerate(expected()[:count]):
        content = io.BytesIO()
        Image.fromarray(frog).save(content, kind)
        put(f"{frogs.PICTURES}/{i}.{kind}", content.getvalue())


@pytest.mark.parametrize("folder", frogs.FOLDERS)
def test_unpacked_batches(folder):
    put_batches(folder)
    result = frogs.load_frogs()
    assert result.dtype == "uint8" and result.shape == (COUNT, 32, 32, 3)
    np.testing.assert_array_equal(result, expected())


@pytest.mark.parametrize("name", frogs.ARCHIVES)
def test_archive(name):
    put(name, ARCHIVE)
    np.testing.assert_array_equal(frogs.load_frogs(), expected())


def test_pictures(capsys):
    """图片的次序按编号，2 在 10 之前"""
    put_pictures()
    folder = datasets.cache_dir() / frogs.PICTURES
    (folder / "4.png").rename(folder / "4.jpeg")  # 扩展名有几种写法
    np.testing.assert_array_equal(frogs.load_frogs(), expected())
    assert "图片文件夹" in capsys.readouterr().out
    assert "frogs" not in output.synthetic_in_use


class Bomb:
    """反序列化时会建立一个文件"""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_tampered_batch_is_never_executed(tmp_path, capsys):
    """MD5 对不上就不反序列化；还有图片就用图片"""
    target = tmp_path / "executed"
    put_batches(frogs.FOLDERS[0], data_batch_3=pickle.dumps(Bomb(target)))
    with pytest.raises(Fault):
        frogs.load_frogs()
    assert not target.exists()
    assert "data_batch_3 和官方的不同" in capsys.readouterr().out
    put_pictures()
    assert len(frogs.load_frogs()) == COUNT


def test_archive_cut_short(capsys):
    put(frogs.ARCHIVES[0], ARCHIVE[:-10])
    with pytest.raises(Fault):
        frogs.load_frogs()
    assert "SHA-256 对不上" in capsys.readouterr().out


def test_missing_batch(capsys):
    put_batches(frogs.FOLDERS[0])
    (datasets.cache_dir() / frogs.FOLDERS[0] / "data_batch_5").unlink()
    with pytest.raises(Fault):
        frogs.load_frogs()
    assert "读不了" in capsys.readouterr().out


def broken_picture(number, content):
    put_pictures()
    put(f"{frogs.PICTURES}/{number}.png", content)


def wrong_size():
    content = io.BytesIO()
    Image.new("RGB", (32, 16)).save(content, "png")
    return content.getvalue()


@pytest.mark.parametrize(
    "prepare, problem",
    [
        (lambda: put_pictures(COUNT - 1), "有 11 张图片，应为 12 张"),
        (lambda: broken_picture(4, b"not a picture"), "4.png 不是完好的图片"),
        (lambda: broken_picture(4, b""), "4.png 不是完好的图片"),
        (lambda: broken_picture(7, wrong_size()), "7.png 应为 32x32"),
    ],
)
def test_bad_pictures(prepare, problem, capsys):
    prepare()
    with pytest.raises(Fault, match="frogs"):
        frogs.load_frogs()
    assert problem in capsys.readouterr().out


def test_download(monkeypatch):
    """从镜像下载，存下来，第二次不再下载"""
    server = Server()
    server.files = {f"/{frogs.ARCHIVE.name}": ARCHIVE}
    monkeypatch.setenv("DLPY_MIRROR", server.url)
    np.testing.assert_array_equal(frogs.load_frogs(), expected())
    np.testing.assert_array_equal(frogs.load_frogs(), expected())
    assert server.requests == [f"/{frogs.ARCHIVE.name}"]
    server.shutdown()


def test_command_line(capsys):
    def state():
        assert datasets._command_line([]) == 0
        lines = capsys.readouterr().out.splitlines()
        return next(line.split() for line in lines if line.split()[0] == "frogs")

    assert state()[-1] == "缺"
    assert datasets._command_line(["download", "frogs"]) == 1
    assert "拿不到" in capsys.readouterr().out
    put(frogs.ARCHIVES[0], ARCHIVE[:-1])
    assert state()[4] == "损坏或不全"
    put_batches(frogs.FOLDERS[0])
    assert "就绪，已验证" in state()
    assert datasets._command_line(["download", "frogs"]) == 0


def test_stand_in(monkeypatch):
    """拿不到就画：形状、类型相同，每只都不一样，给定种子画的都一样"""
    monkeypatch.setenv("DLPY_DATA", "auto")
    original = synthetic_frogs.make_frogs
    monkeypatch.setattr(synthetic_frogs, "make_frogs", lambda: original(60))
    result = frogs.load_frogs()
    assert result.shape == (60, 32, 32, 3) and result.dtype == "uint8"
    assert "frogs" in output.synthetic_in_use
    np.testing.assert_array_equal(result[:5], original(5))
    assert not (result[:5] == original(5, seed=1)).all(axis=(1, 2, 3)).any()
    assert len({frog.tobytes() for frog in result}) == 60
    # 图里有东西，而且各不相同：一张之内、各张之间的变化都不小
    assert result.std(axis=(1, 2)).mean() > 15
    assert result.mean(axis=(1, 2)).std(axis=0).min() > 20
