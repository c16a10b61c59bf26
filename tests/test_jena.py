"""耶拿天气数据：哪里坏了要说出文件、行和列；行数、列名、数值一个不差才算真实数据"""

import errno
import hashlib
import io
import os
import zipfile

from common import Fault, datasets, frogs, jena, output, photos

import numpy as np
import pandas as pd
import pytest
from test_datasets import Server

HEADER = ",".join(f'"{name}"' for name in [jena.DATE, *jena.COLUMNS])
ROWS = 30
LINES = [
    f"01.01.2009 {i // 6:02d}:{i % 6 * 10:02d}:00,"
    + ",".join(f"{i + column / 10:.2f}" for column in range(14))
    for i in range(ROWS)
]


def csv(lines=LINES, header=HEADER, end="\n"):
    return (end.join([header, *lines]) + end).encode()


def changed(line, old, new):
    """第 line 行（文件的第 1 行是列名）里的 old 换成 new"""
    lines = list(LINES)
    assert old in lines[line - 2]
    lines[line - 2] = lines[line - 2].replace(old, new, 1)
    return csv(lines)


def zipped(content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"folder/{jena.NAME}", content)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(jena, "ROWS", ROWS)
    monkeypatch.setattr(datasets, "_fallback_dir", lambda: datasets.cache_dir() / "x")
    monkeypatch.setattr(datasets, "RETRY_WAIT", 0.01)
    monkeypatch.setenv("DLPY_DATA", "real")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    datasets.cache_dir().mkdir(parents=True)


def put(name, content):
    path = datasets.cache_dir() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def assert_right(table):
    assert list(table.columns) == jena.COLUMNS
    assert table.shape == (ROWS, 14) and (table.dtypes == "float64").all()
    expected = np.arange(ROWS)[:, None] + np.arange(14) / 10
    np.testing.assert_allclose(table, expected)
    assert table.index.name == jena.DATE
    assert table.index[0] == pd.Timestamp(2009, 1, 1)
    assert table.index[7] == pd.Timestamp(2009, 1, 1, 1, 10)


@pytest.mark.parametrize(
    "content",
    [
        csv(),
        csv().rstrip(),  # 官方文件的末尾没有换行
        csv() + b"\n\r\n",
        b"\xef\xbb\xbf" + csv(),
        csv(end="\r\n"),
        csv([*LINES[:5], "", *LINES[5:]]),
        # 气象站近年的文件，编码是 latin-1，多几列
        csv([f"{line},1" for line in LINES], header=HEADER + ',"PAR (\xb5mol)"')
        .decode()
        .encode("latin-1"),
    ],
)
def test_harmless_differences(content):
    assert_right(jena.read_csv(content, "x.csv"))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "x.csv 是空文件"),
        (b" \n", "x.csv 是空文件"),
        (csv([]), "x.csv 只有列名"),
        (csv().replace(b",", b";"), "x.csv 第 1 行：各列用分号隔开"),
        (csv().replace(b",", b"\t"), "x.csv 第 1 行：各列用制表符隔开"),
        (csv(header=HEADER.replace("rh (%)", "rh")), r"第 1 行缺少列 rh \(%\)"),
        (b"<html>no such page</html>", "x.csv 第 1 行缺少列 Date Time"),
        (b"\x00\xff\xfe\x80", "x.csv 不是 UTF-8 文本"),
        (changed(9, "7.10", "abc"), r"x.csv 第 9 行的 T \(degC\) 是「abc」"),
        (changed(9, "7.10", "inf"), r"x.csv 第 9 行的 T \(degC\) 是「inf」"),
        (changed(9, "7.30", ""), r"x.csv 第 9 行的 Tdew \(degC\) 是空的，应为"),
        (changed(9, "7.10", "7.10,1"), "x.csv 第 9 行有 16 列，应为 15 列"),
        (changed(9, "01.01.2009", "2009-01-01"), "x.csv 第 9 行的 Date Time 是「2009"),
        (csv([f"{line}," for line in LINES]), "x.csv 第 2 行的列数比第 1 行的列名多"),
        (csv([f"{LINES[0]},1", *LINES[1:]]), "x.csv 第 2 行的列数比第 1 行的列名多"),
        (csv()[:-20], r"x.csv 第 31 行的 .* 是空的，文件多半在这里断了"),
        # 空行也算一行，行号才和编辑器里的一样
        (csv(["", *LINES[:3], LINES[3].replace("3.00", "?")]), r"第 6 行的 p \(mbar\)"),
    ],
)
def test_damage_is_located(content, message):
    with pytest.raises(Fault, match=message) as fault:
        jena.read_csv(content, "x.csv")
    assert "\n" not in str(fault.value)
    str(fault.value).encode("gbk")


@pytest.mark.parametrize(
    "name, content",
    [
        (jena.NAME, csv()),
        (f"{jena.NAME}.zip", zipped(csv())),
        (f"jena_climate_2009_2016_extracted/{jena.NAME}", csv()),
        (f"{jena.NAME}/{jena.NAME}", csv()),
    ],
)
def test_takes_whatever_is_in_the_cache(name, content):
    put(name, content)
    assert_right(jena.load_jena())


@pytest.mark.parametrize(
    "name, content, message",
    [
        (jena.NAME, csv(LINES[:-1]), "有 29 行，应为 30 行"),
        (jena.NAME, changed(9, "7.10", "abc"), "第 9 行"),
        (f"{jena.NAME}.zip", zipped(csv())[:300], "不是完整的 zip"),
        (f"{jena.NAME}.zip", zipped(csv()).replace(b"jena", b"java"), "里没有"),
        (f"{jena.NAME}.zip", zipped(b"0" * (len(csv()) + 1)), "大得不对"),
    ],
)
def test_damaged_cache_is_reported_and_kept(
    monkeypatch, name, content, message, capsys
):
    monkeypatch.setattr(jena, "_MAX_BYTES", len(csv()))
    put(name, content)
    with pytest.raises(Fault, match="拿不到 jena 的真实数据"):
        jena.load_jena()
    assert message in capsys.readouterr().out
    assert (datasets.cache_dir() / name).read_bytes() == content


def test_download(monkeypatch, capsys):
    server = Server()
    monkeypatch.setattr(datasets, "OFFICIAL", server.url)
    server.files[f"/{jena.NAME}.zip"] = zipped(csv(LINES[:-1]))
    with pytest.raises(Fault, match="有 29 行，应为 30 行"):
        jena.load_jena()
    assert list(datasets.cache_dir().iterdir()) == []
    server.files[f"/{jena.NAME}.zip"] = zipped(csv())
    assert_right(jena.load_jena())
    server.files.clear()
    assert_right(jena.load_jena())  # 第二次从缓存读
    server.shutdown()
    server.server_close()


def test_download_does_not_replace_the_readers_file(monkeypatch, capsys):
    """缓存里的不能用，下载一份；原来的改名留着，也许是读者自己改过的"""
    server = Server()
    monkeypatch.setattr(datasets, "OFFICIAL", server.url)
    own = zipped(csv(LINES[:-1]))
    put(f"{jena.NAME}.zip", own)
    server.files[f"/{jena.NAME}.zip"] = zipped(csv())
    assert_right(jena.load_jena())
    (aside,) = datasets.cache_dir().glob("*.damaged-*")
    assert aside.read_bytes() == own
    assert f"改名为 {aside.name}" in capsys.readouterr().out
    server.shutdown()
    server.server_close()


def test_folder_of_somebody_else(monkeypatch):
    """别人的 /tmp/.keras 看不了，就当没有"""
    stat = os.stat

    def refuse(path, *args, **kwargs):
        if str(path).startswith(str(datasets.cache_dir() / "x")):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refuse)
    assert jena.status()[2] == photos.status()[2] == frogs.status()[2] == "缺"


def test_own_file(tmp_path, capsys):
    path = tmp_path / "我的 天气.csv"
    path.write_bytes(csv(LINES[:3]))
    assert len(jena.load_jena(str(path))) == 3
    assert capsys.readouterr().out == ""
    path.write_bytes(csv(LINES[:30:6]))
    assert len(jena.load_jena(str(path))) == 5
    assert "相隔 60 分钟，不是 10 分钟：LOOKBACK" in capsys.readouterr().out
    with pytest.raises(Fault, match="读不了 JENA_CSV = .*none.csv"):
        jena.load_jena(str(tmp_path / "none.csv"))


def test_synthetic(monkeypatch):
    monkeypatch.setenv("DLPY_DATA", "auto")
    monkeypatch.setattr(jena.synthetic_weather, "make_jena", lambda: "weather")
    assert jena.load_jena() == "weather"
    assert output.synthetic_in_use == {"jena"}


# %% 解析一次，留着结果


def forbid_parsing(monkeypatch):
    def parse(content, name):
        raise AssertionError("又解析了一遍")

    monkeypatch.setattr(jena, "read_csv", parse)


@pytest.mark.parametrize(
    "name, content", [(".csv", csv()), (".csv.zip", zipped(csv()))]
)
def test_parsed_only_once(monkeypatch, name, content):
    """第二次直接读上次解析的结果，数值和时间完全相同"""
    put(jena.NAME.replace(".csv", name), content)
    first = jena.load_jena()
    forbid_parsing(monkeypatch)
    second = jena.load_jena()
    pd.testing.assert_frame_equal(first, second)
    assert_right(second)


def test_changed_file_is_parsed_again():
    """文件换了内容，不能拿旧的结果充数"""
    put(jena.NAME, csv())
    jena.load_jena()
    put(jena.NAME, changed(3, "1.00", "99.00"))
    assert jena.load_jena().iloc[1, 0] == 99


@pytest.mark.parametrize("length", [0, 100, 3000, -1])
def test_damaged_parsed_file_is_parsed_again(length):
    """解析的结果断在半截，重新解析，并且补好"""
    put(jena.NAME, csv())
    jena.load_jena()
    path = datasets.cache_dir() / jena.PARSED
    whole = path.read_bytes()
    assert len(whole) > 3000
    path.write_bytes(whole[:length])
    assert_right(jena.load_jena())
    assert jena._parsed_before(hashlib.sha256(csv()).hexdigest()) is not None


def test_nowhere_to_keep_the_parsed_table(monkeypatch):
    """存不下，照样用"""

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    put(jena.NAME, csv())
    monkeypatch.setattr(np, "savez", full)
    assert_right(jena.load_jena())
    assert not (datasets.cache_dir() / jena.PARSED).exists()


# %% python -m common.datasets


def test_command_line_status(capsys):
    """缺、损坏、就绪，说得对"""

    def state():
        assert datasets._command_line([]) == 0
        lines = capsys.readouterr().out.splitlines()
        return next(line.split() for line in lines if line.split()[0] == "jena")

    assert state() == ["jena", f"{jena.NAME}.zip", "13.6", "MB", "缺"]
    put(jena.NAME, csv()[:-100])
    path = str(datasets.cache_dir() / jena.NAME)
    assert state()[4:] == ["损坏", path]
    put(jena.NAME, csv())
    assert state()[1:] == [jena.NAME, "13.6", "MB", "就绪，已验证", path]


def test_command_line_download(capsys):
    """有就说就绪；拿不到说怎么办，退出码是 1"""
    assert datasets._command_line(["download", "jena"]) == 1
    printed = capsys.readouterr().out
    assert "拿不到" in printed and f"{jena.NAME}.zip" in printed
    put(jena.NAME, csv())
    assert datasets._command_line(["download", "jena"]) == 0
    assert capsys.readouterr().out == f"{jena.NAME}：就绪\n"
