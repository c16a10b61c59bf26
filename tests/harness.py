"""冒烟测试的机关都在这里，教学脚本里一行测试代码也没有

改掉脚本顶层的常量、换上微型数据，其余照原样执行：
    python tests/harness.py 3_4_imdb.py EPOCHS=5
"""

import ast
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(path.name for path in ROOT.glob("[0-9]*_*.py"))

# 每个脚本的微型设置，写法和命令行一样；缺了哪个脚本，测试就失败
TINY = {
    "2_1_mnist.py": "EPOCHS=3 BATCH_SIZE=32",
    "2_2_tensors.py": "BATCH_SIZE=8 UNITS=4",
    "2_4_gradients.py": "EPOCHS=2 BATCH_SIZE=32",
    "3_4_imdb.py": "NUM_WORDS=30 NUM_VAL=40 EPOCHS=3 RETRAIN_EPOCHS=2 BATCH_SIZE=16"
    """ MY_REVIEW='"W5 w7, unknownword w39!"'""",
    "3_5_reuters.py": "NUM_WORDS=60 NUM_VAL=60 EPOCHS=3 RETRAIN_EPOCHS=2 BATCH_SIZE=16"
    " BOTTLENECK_BATCH_SIZE=16",
    "3_6_boston.py": "NUM_EPOCHS=2 LONG_NUM_EPOCHS=14 FINAL_EPOCHS=3 k=3",
    "4_4_overfitting.py": "NUM_WORDS=30 EPOCHS=3 BATCH_SIZE=16",
    "5_1_convnet.py": "EPOCHS=1",
    # 照片再小，四次卷积和池化之后就一个像素也不剩了
    "5_2_cats_dogs.py": "IMAGE_SIZE=(46,50) EPOCHS=3 AUGMENTED_EPOCHS=3 BATCH_SIZE=4"
    " AUGMENTED_BATCH_SIZE=8 AUGMENTED_STEPS=4 LEARNING_RATE=1e-3",
    "6_1_one_hot.py": "",
    "6_1_embeddings.py": "NUM_WORDS=30 MAXLEN=5 TEXT_MAXLEN=8 TRAINING_SAMPLES=20"
    " VALIDATION_SAMPLES=40 EPOCHS=2 BATCH_SIZE=16 DRAWS=2 MORE_SAMPLES={80:1}"
    " VECTOR_WORDS=25 VECTOR_DIM=4",
    # 用 XLA 编译一个网络要几秒，微型的训练用不着
    "6_2_rnn.py": "NUM_WORDS=30 MAXLEN=12 EPOCHS=2 BATCH_SIZE=16 VAL_BATCH_SIZE=40"
    """ JIT_COMPILE=False MY_REVIEW='"W5 w7, unknownword"'""",
    # 每轮的批数按行数的比例，只有 3 批
    "6_3_jena_temp.py": "LOOKBACK=48 DELAY=24 BATCH_SIZE=16 VAL_BATCH_SIZE=100"
    " STEPS_PER_EPOCH=700 EPOCHS=2 DROPOUT_EPOCHS=2 IMDB_EPOCHS=2 NUM_WORDS=30"
    " MAXLEN=10 JIT=False STACKED_EPOCHS=2",
    "6_4_conv1d.py": "NUM_WORDS=30 MAXLEN=50 IMDB_EPOCHS=2 LOOKBACK=130 STEP=2 DELAY=24"
    " SHORT_LOOKBACK=65 SHORT_STEP=1 BATCH_SIZE=16 VAL_BATCH_SIZE=100"
    " STEPS_PER_EPOCH=3 JENA_EPOCHS=2 GRU_EPOCHS=2 NUM_TRAIN=961 VAL_END=1441",
    "8_5_gan.py": "ITERATIONS=4 FILTERS=8 BATCH_SIZE=4 RULER_EPOCHS=2 SAVE_EVERY=2",
}


def parsed(words):
    """["EPOCHS=3", …] → {"EPOCHS": 3, …}"""
    pairs = (word.split("=", 1) for word in words)
    return {name: ast.literal_eval(value) for name, value in pairs}


def rewritten(script, constants, until=None):
    """返回改过顶层常量的语法树；脚本里没有的常量是错误

    参数：until，只要这个单元格之前的部分，写标题的开头，例如 6.3.6
    """
    text = (ROOT / script).read_text(encoding="utf-8")
    tree = ast.parse(text, script)
    if until:
        lines = text.splitlines()
        stop = next(i for i, x in enumerate(lines, 1) if x.startswith(f"# %% {until}"))
        tree.body = [node for node in tree.body if node.lineno < stop]
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


def execute(script, until=None, **constants):
    """用微型设置执行脚本，返回它的全部变量；constants 补充或覆盖微型设置"""
    tiny = parsed(shlex.split(TINY[script]))
    return execute_full(script, until, **tiny | constants)


def execute_full(script, until=None, **constants):
    """执行脚本，只改 constants 里的常量，返回它的全部变量"""
    tree = rewritten(script, constants, until)
    namespace = {"__name__": "__main__", "__file__": str(ROOT / script)}
    exec(compile(tree, str(ROOT / script), "exec"), namespace)
    return namespace


def use_tiny_data(setattr=setattr):
    """把合成数据的生成函数换成微型的；试算 bfloat16 的结果不定，这里一律不用"""
    from common import synthetic, training

    import tiny_data

    for name in vars(tiny_data):
        if name.startswith("make_"):
            setattr(synthetic, name, getattr(tiny_data, name))
    setattr(training, "bfloat16_is_faster", lambda: False)


if __name__ == "__main__":
    # 后台任务里启动的进程不理会 Ctrl-C，测试 Ctrl-C 的脚本要像在终端里一样
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(ROOT))  # 直接运行脚本时，脚本所在的文件夹也在最前面
    folder = Path(os.environ.get("TEST_OUTPUT") or tempfile.mkdtemp())
    os.environ.setdefault("DLPY_DATA", "synthetic")
    os.environ["KERAS_HOME"] = str(folder / "keras")  # 微型的照片不能进读者的缓存
    from common import results

    results.OUTPUT = folder
    use_tiny_data()
    execute(sys.argv[1], **parsed(sys.argv[2:]))
