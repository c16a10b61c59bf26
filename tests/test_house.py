"""每个脚本都照这座小房子的样子：跑得到底，粘得进提示符，常量在开头，没有测试代码"""

import codeop
import re

import harness
import keras
import pandas as pd
import pytest
from harness import ROOT, SCRIPTS, TINY
from PIL import Image

ENTRIES = ["任务：", "数据：", "结果：", "开销：", "运行：", "产出：", "（书外）"]


def test_every_script_has_a_tiny_setting_and_only_its_own_constants():
    assert SCRIPTS == sorted(TINY)
    with pytest.raises(AssertionError, match="NO_SUCH"):
        harness.rewritten("2_1_mnist.py", {"NO_SUCH": 1})


@pytest.mark.parametrize("script", SCRIPTS)
def test_runs_to_the_last_line(finished, script):
    """图、模型、历史都打得开，没有写到一半的；最后是对照的表，合成数据有声明"""
    run = finished(script)
    assert re.search("书中.* 本次", run.printed)
    last = run.printed.rstrip().splitlines()[-1]
    assert last.startswith("【合成数据】") == bool(run.synthetic)
    assert all(name in last for name in run.synthetic)
    paths = [path for path in run.folder.rglob("*") if path.is_file()]
    assert not [path for path in paths if path.name.startswith(".")]
    assert [path for path in paths if path.suffix == ".png"]
    for path in paths:
        if path.suffix in {".png", ".gif"}:
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".keras":
            keras.models.load_model(path)
        elif path.suffix == ".csv":
            table = pd.read_csv(path)
            assert table.notna().all(axis=None) and set(table["data"]) == {"synthetic"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_house_style(script):
    """有单元格、有资料卡；没有函数入口、参数解析和测试代码；常量只赋值一次；粘得进
    普通的 >>> 提示符：缩进块里没有空行，块后有空行"""
    text = (ROOT / script).read_text(encoding="utf-8")
    assert text.startswith(f'"""{script.split("_")[0]}.{script.split("_")[1]}')
    assert [x for x in ENTRIES if x not in text.split('"""')[1]] == []
    assert len(re.findall("^# %% ", text, re.M)) > 5
    assert not re.search(r"__name__|argparse|def main|pytest|\bassert\b|TODO", text)
    for name in re.findall("^([A-Z_]+) = ", text, re.M):
        assert len(re.findall(f"^{name} = ", text, re.M)) == 1
    for comment in re.findall("^ *# (.*)$", text, re.M):
        assert not comment.endswith("。") and "请" not in comment
    buffer = []
    for line in text.splitlines():
        buffer.append(line)
        if codeop.compile_command("\n".join(buffer), script, "single"):
            buffer.clear()
    assert not "".join(buffer).strip()


def test_files_that_others_read():
    """中文 Windows 的控制台用 GBK，写不出的字符会变成问号；25 以前的 pip 也按 GBK 读"""
    for path in [*ROOT.glob("*.py"), *ROOT.glob("common/**/*.py")]:
        text = path.read_text(encoding="utf-8").replace(r"\u202a\u202c", "")
        text.encode("gbk")
    assert (ROOT / "requirements.txt").read_bytes().isascii()
