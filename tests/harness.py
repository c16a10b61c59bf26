"""冒烟测试的机关都在这里，教学脚本里一行测试代码也没有

改掉脚本顶层的常量、换上微型数据，其余照原样执行：
    python tests/harness.py 3_4_imdb.py
    python tests/harness.py 5_2_cats_dogs.py EPOCHS=100
"""

import ast
import os
import signal
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(path.name for path in ROOT.glob("[0-9]*_*.py"))

# 每个脚本的微型设置；缺了哪个脚本，测试就失败
TINY = {
    "2_1_mnist.py": {"EPOCHS": 3, "BATCH_SIZE": 32},
    "3_4_imdb.py": {
        "NUM_WORDS": 30,
        "NUM_VAL": 40,
        "EPOCHS": 3,
        "BEST_EPOCHS": 2,
        "BATCH_SIZE": 16,
        "MY_REVIEW": "W5 w7, unknownword w39!",
    },
    "3_5_reuters.py": {
        "NUM_WORDS": 60,
        "NUM_VAL": 60,
        "EPOCHS": 3,
        "BEST_EPOCHS": 2,
        "BATCH_SIZE": 16,
        "BOTTLENECK_BATCH_SIZE": 16,
    },
    "3_6_boston.py": {
        "NUM_EPOCHS": 2,
        "LONG_NUM_EPOCHS": 14,
        "FINAL_EPOCHS": 3,
    },
    "5_2_cats_dogs.py": {
        "IMAGE_SIZE": (46, 46),  # 再小，四次卷积和池化之后就一个像素也不剩了
        "EPOCHS": 3,
        "AUGMENTED_EPOCHS": 3,
        "BATCH_SIZE": 4,
        "AUGMENTED_BATCH_SIZE": 8,
        "AUGMENTED_STEPS": 4,
        "LEARNING_RATE": 1e-3,
    },
    "6_3_jena_temp.py": {
        "EXPERIMENTS": [
            *("dense", "gru", "gru_dropout", "stacked", "reversed", "ideas"),
            *("imdb_reversed", "imdb_bidirectional", "bidirectional"),
        ],
        "LOOKBACK": 48,
        "DELAY": 24,
        "BATCH_SIZE": 16,
        "VAL_BATCH_SIZE": 100,
        "STEPS_PER_EPOCH": 3,
        "EPOCHS": 2,
        "DROPOUT_EPOCHS": 2,
        "IMDB_EPOCHS": 2,
        "IDEA_EPOCHS": 1,
        "NUM_WORDS": 30,
        "MAXLEN": 10,
        "JIT_COMPILE": False,  # 编译一个网络要几秒，微型的训练用不着
    },
    "8_5_gan.py": {
        "ITERATIONS": 4,
        "FILTERS": 8,
        "BATCH_SIZE": 4,
        "NUM_FIXED": 32,
        "RULER_EPOCHS": 2,
        "SAVE_EVERY": 2,
    },
}


# 作为真正的进程再跑一遍时，重复的部分少跑几次
SHORTER = {
    "3_4_imdb.py": {"experiments": [("书中的设置", {}, "mse")]},
    "3_5_reuters.py": {"experiments": [("书中的设置", {})]},
    "3_6_boston.py": {"K": 2, "LONG_NUM_EPOCHS": 11},
    "6_3_jena_temp.py": {"EXPERIMENTS": ["dense", "gru"]},
}


def rewritten(script, constants):
    """返回改过顶层常量的语法树；脚本里没有的常量是错误"""
    path = ROOT / script
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    unused = set(constants)
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in constants:
                new = ast.parse(repr(constants[name]), mode="eval").body
                node.value = ast.copy_location(new, node.value)
                unused.discard(name)
    assert not unused, f"{script} 里没有这些顶层常量：{unused}"
    return ast.fix_missing_locations(tree)


def execute(script, **constants):
    """用微型设置执行脚本，返回它的全部变量；constants 补充或覆盖微型设置"""
    return execute_full(script, **TINY[script] | constants)


def execute_full(script, **constants):
    """执行脚本，只改 constants 里的常量，返回它的全部变量"""
    path = ROOT / script
    tree = rewritten(script, constants)
    namespace = {"__name__": "__main__", "__file__": str(path)}
    exec(compile(tree, str(path), "exec"), namespace)
    return namespace


def use_tiny_data(setattr=setattr):
    """把合成数据的生成函数换成微型的"""
    from common import (
        synthetic,
        synthetic_frogs,
        synthetic_photos,
        synthetic_weather,
    )

    import tiny_data

    modules = (synthetic, synthetic_frogs, synthetic_photos, synthetic_weather)
    for name in vars(tiny_data):
        if name.startswith("make_") or name.endswith("_word_index"):
            for module in modules:
                if hasattr(module, name):
                    setattr(module, name, getattr(tiny_data, name))


if __name__ == "__main__":
    # 后台任务里启动的进程不理会 Ctrl-C，测试 Ctrl-C 的脚本要像在终端里一样
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(ROOT))  # 直接运行脚本时，脚本所在的文件夹也在最前面
    os.environ.setdefault("DLPY_DATA", "synthetic")
    import common.output

    folder = os.environ.get("TEST_OUTPUT") or tempfile.mkdtemp()
    common.output.OUTPUT = Path(folder)
    use_tiny_data()
    script, *changes = sys.argv[1:]
    changes = {
        name: ast.literal_eval(value) for name, value in (c.split("=") for c in changes)
    }
    execute(script, **SHORTER.get(script, {}) | changes)
