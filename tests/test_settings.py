"""常量设得不合理：一句话说出是哪一个常量，什么也没有开始"""

import ast

from common import Fault, output, settings

import pytest
from harness import ROOT, SCRIPTS, TINY

# 不检查的：不是给读者改的，或者脚本自己检查
UNCHECKED = {"GPU", "QUICK", "LONG", "POLICY"}
NONSENSE = {
    "IMAGE_SIZE": [(20, 150), 150, (150, 150, 3), (150.0, 150.0), "150"],
    "DEBUG": [1, "True", None],
    "EXPERIMENTS": [None, "gru", [1]],
    "JIT_COMPILE": [None, "True", 2],
    "MY_REVIEW": [None, 5],
    "MY_PHOTO": [None, 5],
    "JENA_CSV": [None, 5],
    "LEARNING_RATE": [-1e-4, 1, "0.001", True, None],
    "D_LEARNING_RATE": [-1e-4, 1.0],
    "G_LEARNING_RATE": [-1e-4, 1.0],
    "EPSILON": [-1e-9, 0, 1.0, None],
    "AVERAGING": [-0.1, 1.0],
    "NUM_WORDS": [3, 10**9, 1e4],
    "LONG_NUM_EPOCHS": [10, 500.0],
    "DELAY": [-1, 1.5],
    "SEED": [-1, 2**32, 0.5, "0", None],
    "K": [1, 405, 4.0],
    "NUM_FIXED": [31, 200.0],
}
# 各脚本自己的上限
TOO_LARGE = {
    ("3_4_imdb.py", "NUM_VAL"): [25_000],
    ("3_5_reuters.py", "NUM_VAL"): [8_982],
    ("8_5_gan.py", "BATCH_SIZE"): [5_001],
}


def constants(script):
    """脚本开头那一格里的常量"""
    tree = ast.parse((ROOT / script).read_text(encoding="utf-8"))
    assigned = (node.targets[0] for node in tree.body if isinstance(node, ast.Assign))
    names = (target.id for target in assigned if isinstance(target, ast.Name))
    return sorted({name for name in names if name.isupper()} - UNCHECKED)


CASES = [
    (script, name, value)
    for script in SCRIPTS
    for name in constants(script)
    for value in [
        *NONSENSE.get(name, [0, -1, 1.5, "5", None, True]),
        *TOO_LARGE.get((script, name), []),
    ]
]


@pytest.mark.parametrize(("script", "name", "value"), CASES)
def test_nonsense(script, name, value, run_tiny, capsys):
    with pytest.raises(Fault, match=rf"脚本开头的 {name} = .*：应为") as caught:
        run_tiny(script, **{name: value})
    assert repr(value) in str(caught.value) and "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""
    assert not output.OUTPUT.exists()


def test_a_new_run_forgets_the_synthetic_data_of_the_last():
    """同一个 Python 里先用合成数据跑 3.4 节，再用真实数据跑 2.1 节"""
    output.synthetic_in_use.add("imdb")
    settings.check_settings({})
    assert output.synthetic_in_use == set()


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_settings_in_use_are_good(script):
    """微型的设置不报错；边上的值也不报错"""
    settings.check_settings(TINY[script])
    settings.check_settings({"EPOCHS": 1, "DELAY": 0, "SEED": 2**32 - 1, "K": 2})
    settings.check_settings({"NUM_WORDS": 4, "LONG_NUM_EPOCHS": 11, "EPSILON": 1e-14})
    settings.check_settings({"IMAGE_SIZE": (46, 46), "NUM_VAL": 9}, NUM_VAL=9)
    with pytest.raises(Fault, match="LEARNING_RATE = nan"):
        settings.check_settings({"LEARNING_RATE": float("nan")})


def test_requirements_are_ascii():
    # 25 以前的 pip 在中文 Windows 上按 GBK 读它
    assert (ROOT / "requirements.txt").read_bytes().isascii()
