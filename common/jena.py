"""耶拿天气数据，6.3 节：从哪里找、怎么读、哪里坏了要说清楚

load_jena 依次试：缓存文件夹里的 CSV、官方的 zip（文件名 jena_climate_2009_2016.csv 和
.csv.zip，也认 Keras 解开之后的文件夹）、DLPY_MIRROR、官方地址，都不行就用
synthetic_weather.py 生成的合成天气
"""

import functools
import hashlib
import io
import os
import re
import zipfile
import zlib
from pathlib import Path

from common import Fault, datasets, synthetic_weather
from common.datasets import DataFile, Unavailable
from common.output import complete_file

import numpy as np
import pandas as pd

ROWS = 420_551  # 2009 到 2016 年，每 10 分钟一行
COLUMNS = [
    "p (mbar)",  # 气压
    "T (degC)",  # 气温
    "Tpot (K)",  # 位温
    "Tdew (degC)",  # 露点
    "rh (%)",  # 相对湿度
    "VPmax (mbar)",  # 饱和水汽压
    "VPact (mbar)",  # 实际水汽压
    "VPdef (mbar)",  # 水汽压差
    "sh (g/kg)",  # 比湿
    "H2OC (mmol/mol)",  # 水汽浓度
    "rho (g/m**3)",  # 空气密度
    "wv (m/s)",  # 风速
    "max. wv (m/s)",  # 最大风速
    "wd (deg)",  # 风向
]
DATE = "Date Time"
NAME = "jena_climate_2009_2016.csv"
PARSED = "jena_climate_2009_2016_parsed.npz"  # 解析的结果，51 MB
# 官方没有公布 SHA-256，所以按内容认定：列名、行数、每个格子都是数
ARCHIVE = DataFile(f"{NAME}.zip", "", 13_568_290)
_MAX_BYTES = 200_000_000  # 官方的 CSV 是 43 MB，防备恶意的压缩包


# %% 读 CSV


def read_csv(content, name):
    """读耶拿气象站的 CSV，不限行数

    参数：content，文件的字节；name，报错时说的文件名
    返回：DataFrame，索引是时间，14 列 float64，单位见列名
    异常：Fault，写明文件、第几行、哪一列坏了
    """
    if not content.strip():
        raise Fault(f"{name} 是空文件，重新下载或复制一次")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # 气象站近年的文件，列名里有希腊字母
        if DATE not in text.partition("\n")[0]:
            raise Fault(f"{name} 不是 UTF-8 文本，可能不是 CSV，或者损坏了") from None
    _check_header(text, name)
    try:
        # 不跳过空行，行号才对得上
        table = pd.read_csv(io.StringIO(text), skip_blank_lines=False, low_memory=False)
    except pd.errors.ParserError as error:
        found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if not found:
            raise Fault(f"{name} 解析不了：{error}") from None
        expected, line, saw = found.groups()
        raise Fault(
            f"{name} 第 {line} 行有 {saw} 列，应为 {expected} 列，多半是多了逗号"
        ) from None
    if not isinstance(table.index, pd.RangeIndex):  # 多出来的列，pandas 当成了行名
        raise Fault(f"{name} 第 2 行的列数比第 1 行的列名多，多半是多了逗号")
    table = table[table.notna().any(axis=1)]  # 空行，常见于文件末尾
    if table.empty:
        raise Fault(f"{name} 只有列名，没有数据")
    for column in COLUMNS:
        numbers = pd.to_numeric(table[column], errors="coerce")
        numbers = numbers.where(np.isfinite(numbers))  # inf 也不算数
        _check_cells(table, column, numbers, "应为一个数", name)
        table[column] = numbers.astype("float64")
    times = pd.to_datetime(table[DATE], format="%d.%m.%Y %H:%M:%S", errors="coerce")
    _check_cells(table, DATE, times, "应为「日.月.年 时:分:秒」", name)
    table = table[COLUMNS]
    table.index = pd.DatetimeIndex(times, name=DATE)
    return table


def _check_header(text, name):
    header = text.partition("\n")[0].strip()
    names = [field.strip().strip('"') for field in header.split(",")]
    missing = [column for column in [DATE, *COLUMNS] if column not in names]
    if not missing:
        return
    if len(names) == 1:
        for separator, spoken in ((";", "分号"), ("\t", "制表符")):
            if separator in header:
                raise Fault(
                    f"{name} 第 1 行：各列用{spoken}隔开，应为逗号；"
                    "多半是表格软件另存时改的，用原来的文件"
                )
    raise Fault(
        f"{name} 第 1 行缺少列 {'、'.join(missing)}；"
        "列名要和官方文件完全一样，用原来的文件"
    )


def _check_cells(table, column, parsed, expected, name):
    """parsed 里有缺失的格子，就说出第一个在哪里"""
    bad = parsed.isna()
    if not bad.any():
        return
    row = bad.to_numpy().argmax()
    line = table.index[row] + 2  # 第 1 行是列名
    cell = table[column].iloc[row]
    if pd.isna(cell):
        problem = "是空的"
        if row == len(table) - 1:
            problem += "，文件多半在这里断了"
    else:
        problem = f"是「{cell}」"
    raise Fault(
        f"{name} 第 {line} 行的 {column} {problem}，{expected}；重新下载或复制一次"
    )


def _unzip(content, name):
    """从 zip 里读出那个 CSV，不往磁盘上解开"""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [n for n in archive.namelist() if Path(n).name == NAME]
            if not names:
                raise Fault(f"{name} 里没有 {NAME}")
            if archive.getinfo(names[0]).file_size > _MAX_BYTES:
                raise Fault(f"{name} 里的 {names[0]} 大得不对")
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
        raise Fault(f"{name} 不是完整的 zip，多半没有下载完") from None


def _read(content, name):
    """官方的文件，行数必须正好；解析一次，结果留着，下次只要六分之一的时间"""
    digest = hashlib.sha256(content).hexdigest()
    table = _parsed_before(digest)
    if table is not None:
        return table
    if content.startswith(b"PK"):
        content = _unzip(content, name)
    table = read_csv(content, name)
    if len(table) != ROWS:
        raise Fault(f"{name} 有 {len(table)} 行，应为 {ROWS} 行，多半没有复制完")
    _remember(digest, table)
    return table


def _parsed_before(digest):
    """内容相同的文件上次解析的结果；没有、坏了、是别的文件的，都返回 None"""
    try:
        with np.load(datasets.cache_dir() / PARSED) as saved:
            if str(saved["digest"]) != digest:
                return None
            index = pd.DatetimeIndex(saved["times"], name=DATE)
            return pd.DataFrame(saved["values"], index, COLUMNS)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError):
        return None


def _remember(digest, table):
    """存不下就算了，下次重新解析"""
    path = datasets.cache_dir() / PARSED
    try:
        with complete_file(path) as temporary:
            np.savez(temporary, digest=digest, values=table, times=table.index)
    except OSError:
        pass


# %% 从哪里找


def _candidates():
    """缓存里有的、可能是这份数据的文件"""
    for place in (datasets.cache_dir(), datasets._fallback_dir()):
        for folder in (place, place / "jena_climate_2009_2016_extracted", place / NAME):
            for path in (folder / NAME, folder / f"{NAME}.zip"):
                if os.path.isfile(path):
                    yield path


def _obtain():
    """真实数据；异常：Unavailable"""
    for path in _candidates():
        try:
            return _read(path.read_bytes(), str(path))
        except OSError as error:
            print(f"读不了 {path}：{error.strerror}，跳过它")
        except Fault as problem:
            print(f"{problem}；跳过它")
    once = functools.partial(datasets._download_once, verify=_verify)
    return datasets._download(ARCHIVE, once)


def _verify(file, content):
    try:
        return _read(content, file.name)
    except Fault as problem:
        raise Unavailable(str(problem)) from None


def status():
    """给 python -m common.datasets 看的一行：(文件, 大小, 状态, 位置)"""
    size = f"{ARCHIVE.size / 1e6:.1f} MB"
    state, where = "缺", ""
    for path in _candidates():
        try:
            _read(path.read_bytes(), path.name)
            return path.name, size, "就绪，已验证", path
        except OSError as error:
            state, where = f"读不了：{error.strerror}", path
        except Fault:
            state, where = "损坏", path
    return ARCHIVE.name, size, state, where


def prepare():
    """提前备好数据，python -m common.datasets download 用；返回是否成功"""
    try:
        _obtain()
        print(f"{NAME}：就绪")
        return True
    except Unavailable as problem:
        print(f"{NAME}：拿不到。{problem}\n{datasets._how_to_get([ARCHIVE])}")
        return False


def load_jena(path=""):
    """耶拿天气时间序列，6.3 节

    参数：path，自己的 CSV，格式和官方文件一样，行数不限；空字符串是官方的文件
    返回：DataFrame，索引是时间，每 10 分钟一行，官方文件 420 551 行；14 列 float64，
        单位见列名
    异常：Fault，自己的 CSV 读不了，或 DLPY_DATA=real 而数据拿不到
    """
    if path:
        try:
            table = read_csv(Path(path).read_bytes(), os.fspath(path))
        except OSError as error:
            raise Fault(f"读不了 JENA_CSV = {path}：{error.strerror}") from None
        minutes = table.index.diff().median() / pd.Timedelta(minutes=1)
        if len(table) > 1 and minutes != 10:
            print(
                f"{path} 相邻两行多半相隔 {minutes:g} 分钟，不是 10 分钟："
                "LOOKBACK、STEP、DELAY 数的是行，要照着改"
            )
        return table
    return datasets._real_or_synthetic(
        "jena", [ARCHIVE], _obtain, synthetic_weather.make_jena
    )
