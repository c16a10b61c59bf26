"""返回的数据和 Keras 的一样；含 pickle 的文件先验证再读；天气和青蛙的各种来源"""

import io
import json
import os
import pickle
import sys
import tarfile
import zipfile

from common import Fault, datasets, download, synthetic_in_use
from common.synthetic import JENA_COLUMNS

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_files import BOSTON, CONTENT, IMDB, MNIST, check_mnist, in_cache, npz, put


@pytest.mark.parametrize(
    ("name", "num_words"), [("imdb", 45), ("imdb", 10_000), ("reuters", 20)]
)
def test_sequences_equal_keras(small, monkeypatch, name, num_words):
    """打乱的次序、加 3、开头的 1、截断成 2，逐个相同"""
    path = put(f"{name}.npz", CONTENT[name])
    module = sys.modules[f"keras.src.datasets.{name}"]  # 让 Keras 也读这个小文件
    monkeypatch.setattr(module, "get_file", lambda *args, **options: str(path))
    theirs = getattr(keras.datasets, name).load_data(num_words=num_words)
    ours = getattr(datasets, f"load_{name}")(num_words)
    for (x, y), (x_keras, y_keras) in zip(ours, theirs, strict=True):
        assert x.dtype == object and x.shape == x_keras.shape
        assert [list(s) for s in x] == [list(s) for s in x_keras]
        assert {type(i) for s in x for i in s} == {int}  # 不是 numpy 的整数
        np.testing.assert_array_equal(y, y_keras)
    assert synthetic_in_use == set()


def test_word_index(small, monkeypatch):
    """词表跟着数据走：真实的数据配真实的词表，合成的配合成的；拿不到就停下说明"""
    put("imdb.npz", CONTENT["imdb"])
    path = put("imdb_word_index.json", CONTENT["imdb_words"])
    (x, _), _ = datasets.load_imdb()  # 不限词数，一个词也没有换掉
    assert sum(map(len, x)) == sum(len(s) + 1 for s in IMDB["x_train"])
    assert not any(2 in sequence for sequence in x)
    assert datasets.load_word_index("imdb") == json.loads(CONTENT["imdb_words"])
    path.unlink()
    with pytest.raises(Fault, match="拿不到词表.*imdb_word_index.json"):
        datasets.load_word_index("imdb")
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    datasets.load_imdb(50)
    assert len(datasets.load_word_index("imdb")) == 40


class Bomb:
    """反序列化时会建立一个文件夹"""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def tar_of(*batches):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for number, content in enumerate(batches, 1):
            info = tarfile.TarInfo(f"cifar-10-batches-py/data_batch_{number}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("name", ["mnist", "boston", "imdb", "reuters", "frogs"])
def test_malicious_pickle_never_runs(small, tmp_path, name):
    """大小还和真的一样"""
    target, array = tmp_path / "执行了", np.empty(1, dtype=object)
    array[0] = Bomb(target)
    keys = ["x", "y", "x_train", "y_train", "x_test", "y_test"]
    bad = npz(**dict.fromkeys(keys, array))
    with pytest.raises(FileExistsError):  # 这份文件真的会执行代码
        target.mkdir()
        np.load(io.BytesIO(bad), allow_pickle=True)["x"]
    target.rmdir()
    if name == "frogs":
        bad = tar_of(*[pickle.dumps(Bomb(target))] * 5)
        small("frogs", bytes(len(bad)))
    bad = bad.ljust(download.FILES[name].size, b"\0")
    path = put(download.FILES[name].name, bad)
    datasets.LOADERS[name]()
    assert not target.exists() and synthetic_in_use == {name}
    (aside,) = path.parent.glob(f"{path.name}.damaged-*")
    assert aside.read_bytes() == bad


def test_repacked_numbers_are_judged_by_content(small):
    """镜像常常重新打包：压缩方式、次序、类型不同，内容一样就认；含 pickle 的不认"""
    arrays = dict(reversed(MNIST.items()))
    arrays["y_train"] = arrays["y_train"].astype("int64")
    put("mnist.npz", npz(np.savez_compressed, **arrays))
    check_mnist(datasets.load_mnist())
    put("boston_housing.npz", npz(x=BOSTON["x"], y=BOSTON["y"].astype(">f8")))
    (_, y), (_, y_test) = datasets.load_boston()
    assert y.dtype == "float64" and y.dtype.isnative and synthetic_in_use == set()
    order = np.random.RandomState(113).permutation(506)  # Keras 打乱的次序
    np.testing.assert_array_equal([*y, *y_test], BOSTON["y"][order])
    put("imdb.npz", npz(**IMDB, extra=np.zeros(1)))
    datasets.load_imdb(50)
    arrays["x_test"] = arrays["x_test"].copy()
    arrays["x_test"][3, 14, 14] ^= 1  # 差一个像素
    put("mnist.npz", npz(**arrays))
    datasets.load_mnist()
    assert synthetic_in_use == {"imdb", "mnist"}


HEADER = ",".join(f'"{name}"' for name in ["Date Time", *JENA_COLUMNS])
LINES = [
    f"01.01.2009 {i // 6:02d}:{i % 6 * 10:02d}:00,"
    + ",".join(f"{i + column / 10:.2f}" for column in range(14))
    for i in range(30)
]


def csv(lines=LINES, header=HEADER, end="\n"):
    return end.join([header, *lines, ""]).encode()


def zipped(content, name="jena_climate_2009_2016.csv"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
        archive.writestr(f"__MACOSX/._{name}", b"Mac OS X")
    return stream.getvalue()


def changed(old, new):
    """第 9 行（文件的第 1 行是列名）里的 old 换成 new"""
    assert old in LINES[7]
    return csv([*LINES[:7], LINES[7].replace(old, new, 1), *LINES[8:]])


def assert_right(table):
    assert list(table.columns) == JENA_COLUMNS
    np.testing.assert_allclose(table, np.arange(30)[:, None] + np.arange(14) / 10)
    assert table.index[7] == pd.Timestamp(2009, 1, 1, 1, 10)


LATIN = csv([f"{line},1" for line in LINES], header=f'{HEADER},"PAR (\xb5mol)"')
LATIN = LATIN.decode().encode("latin-1")  # 气象站近年的文件，多几列
OWN = {
    "末尾没有换行.csv": csv().rstrip(),
    "末尾有空行.csv": csv() + b"\n\r\n",
    "Windows.csv": b"\xef\xbb\xbf" + csv(end="\r\n"),
    "latin-1.csv": LATIN,
    "压缩的.zip": zipped(LATIN, "roof.csv"),
}


@pytest.mark.parametrize("name", OWN)
def test_own_weather(tmp_path, capsys, name):
    """粘贴来的路径可以带引号，带 Windows 的属性窗口里看不见的字符"""
    path = tmp_path / name
    path.write_bytes(OWN[name])
    for pasted in ("{}", '"{}"', "\u202a{}"):
        assert_right(datasets.load_jena(pasted.format(path)))
    assert capsys.readouterr().out == "" and synthetic_in_use == set()
    path = tmp_path / "坏值.csv"
    path.write_bytes(changed("7.10", "-9999.0").replace(b",3.10,", b",-9999,"))
    datasets.load_jena(str(path))
    assert "T (degC) 有 2 行是 -9999" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "解析不了"),
        (csv(header=HEADER.replace("rh (%)", "rh")), r"缺少列.*rh \(%\)"),
        (changed("7.10", "abc"), "abc"),
        (changed("7.10", ""), "第 9 行"),
        (changed("7.10", "7.10,1"), "line 9"),
        (changed("01.01.2009", "2009-01-01"), "2009-01-01 01:10:00"),
    ],
)
def test_damaged_weather_is_a_sentence(tmp_path, content, message):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(Fault, match=f"(?s)读不了 JENA_CSV = .*x.csv：.*{message}"):
        datasets.load_jena(str(path))


def test_official_weather(small, monkeypatch, capsys):
    """缓存里的 zip 或者解开的 CSV；行数不对的不用，改名留着"""
    name, read = "jena_climate_2009_2016.csv", datasets.read_jena
    with pytest.raises(download.Unavailable, match="有 30 行，应为 420551 行"):
        read(put(name, csv()), 420_551)
    monkeypatch.setattr(datasets, "read_jena", lambda path, rows: read(path, 30))
    assert_right(datasets.load_jena())
    put(name, csv(LINES[:-1]))
    put(f"{name}.zip", zipped(csv()))
    assert_right(datasets.load_jena())
    (download.cache_dir() / f"{name}.zip").unlink()
    datasets.load_jena()
    assert synthetic_in_use == {"jena"} and "有 29 行，应为" in capsys.readouterr().out
    assert in_cache()[0].startswith(f"{name}.damaged-")


def cifar_batch(number):
    """六张图，第 3、6 张是青蛙；像素里写着第几批、第几张、哪个通道、上半还是下半"""
    image, channel, row, column = np.ogrid[:6, :3, :32, :32]
    pixels = 40 * number + 6 * image + 2 * channel + row // 16 + 0 * column
    pixels[:, :, :, 31] = 255  # 最右边一列
    batch = {b"data": pixels.reshape(6, 3072).astype("uint8")}
    return pickle.dumps(batch | {b"labels": [0, 9, 6, 3, 5, 6]})


def test_frogs_of_the_archive(small):
    content = tar_of(*[cifar_batch(i) for i in range(1, 6)])
    small("frogs", content)
    put("cifar-10-batches-py-target_archive", content)  # Keras 3 起的名字
    frogs = datasets.load_frogs()
    assert frogs.shape == (10, 32, 32, 3) and frogs.dtype == "uint8"
    expected = [40 * batch + 6 * image for batch in range(1, 6) for image in (2, 5)]
    np.testing.assert_array_equal(frogs[:, 0, 0, 0], expected)
    np.testing.assert_array_equal(frogs[0, 0, 0], [52, 54, 56])
    np.testing.assert_array_equal(frogs[0, :, 0, 0], [52] * 16 + [53] * 16)
    assert (frogs[:, :, 31] == 255).all() and synthetic_in_use == set()


def test_frogs_of_a_folder(small, capsys):
    """按编号的次序，macOS 的 ._ 文件不算；不到 5 000 张就不用"""
    folder = download.cache_dir() / "cifar10_images" / "train" / "frog"
    folder.mkdir(parents=True)
    stream = io.BytesIO()
    Image.new("RGB", (32, 32)).save(stream, "bmp")
    for i in range(5000):
        pixel = bytes([i % 256, i // 256, 7])
        (folder / f"{i}.bmp").write_bytes(stream.getvalue()[:-3072] + pixel * 1024)
    (folder / "._0.bmp").write_bytes(b"Mac")
    frogs = datasets.load_frogs()
    assert frogs.dtype == "uint8"
    number = frogs[:, 5, 5, 2] + 256 * frogs[:, 5, 5, 1].astype(int)
    np.testing.assert_array_equal(number, np.arange(5000))
    assert (frogs[..., 0] == 7).all() and "图片文件夹" in capsys.readouterr().out
    (folder / "77.bmp").unlink()
    datasets.load_frogs()
    assert synthetic_in_use == {"frogs"}


def test_command_line(server, capsys):
    """列出有没有；下载；拿不到的退出码是 1，写错了是 2"""
    put("imdb.npz", CONTENT["imdb"])
    assert datasets.command_line([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert str(download.cache_dir()) in lines[0]
    states = {line.split()[1].split("（")[0]: line[0] for line in lines[1:]}
    assert len(states) >= 9 and states.pop("imdb.npz") == "有"
    assert set(states.values()) == {"缺"} and server.requests == []
    assert datasets.command_line(["download", "imdb", "boston"]) == 0
    assert in_cache() == ["boston_housing.npz", "imdb.npz", "imdb_word_index.json"]
    for nonsense in (["download", "nothing"], ["delete"]):
        assert datasets.command_line(nonsense) == 2
    assert "用法：python -m common.datasets" in capsys.readouterr().out
    server.files.clear()
    assert datasets.command_line(["download"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("：就绪") == 2 and printed.count("拿不到") >= 5
