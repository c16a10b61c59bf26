"""检查脚本开头的常量；每个脚本都用到"""

import numbers

from common import Fault, output

# 名字以这些结尾的，必须是整数，不小于后面的数；写在前面的先匹配
WHOLE = {
    "LONG_NUM_EPOCHS": 11,  # 3.6 节画曲线时去掉前 10 轮
    "EPOCHS": 1,
    "BATCH_SIZE": 1,
    "STEPS": 1,
    "STEPS_PER_EPOCH": 1,
    "ITERATIONS": 1,
    "UNITS": 1,
    "FILTERS": 1,
    "NUM_WORDS": 4,  # 编号 0 到 3 不代表单词
    "NUM_VAL": 1,
    "LATENT_DIM": 1,
    "NUM_FIXED": 32,  # 8.5 节把 32 张拼成一张图
    "SAVE_EVERY": 1,
    "LOOKBACK": 1,
    "STEP": 1,
    "DELAY": 0,
    "MAXLEN": 1,
    "K": 2,
    "SEED": 0,
}
FRACTIONS = ("LEARNING_RATE", "AVERAGING")  # 从 0 到 1，不包括 1
LARGEST = {
    "SEED": 2**32 - 1,  # NumPy 的种子只能这么大
    "NUM_WORDS": 100_000,  # 影评里一共不到九万个词，再大只是浪费内存
}


def check_settings(constants, **largest):
    """常量设得不合理就停下，说出是哪一个；不认识的名字不管

    脚本从这里开始：同一个进程里上一次用过的合成数据，这一次不算

    参数：constants，脚本的 globals()；largest，这个脚本里某些常量最大是多少
    异常：Fault，整数写成了小数或文字、轮数是 0、学习率是负数、IMAGE_SIZE 太小等等
    """
    output.synthetic_in_use.clear()
    largest = LARGEST | largest
    for name, value in constants.items():
        wanted = _wanted(name, value, largest.get(name))
        if wanted:
            raise Fault(f"脚本开头的 {name} = {value!r} 不行：应为{wanted}")


def _wanted(name, value, most):
    """value 不合理时，返回应当是什么；合理或者不认识时返回 None"""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if name == "IMAGE_SIZE":
        # 四次卷积和池化之后至少剩一个像素
        if isinstance(value, tuple) and len(value) == 2:
            if all(isinstance(side, int) and side >= 46 for side in value):
                return None
        return "两个不小于 46 的整数，例如 (150, 150)"
    if name == "EXPERIMENTS":
        if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
            return None
        return '加引号的名字的列表，例如 ["dense", "gru"]'
    if name == "JIT_COMPILE":
        return None if value in (True, False, "auto") else ' True、False 或 "auto"'
    if name == "DEBUG":
        return None if isinstance(value, bool) else " True 或 False"
    if name.startswith("MY_") or name == "JENA_CSV":
        return None if isinstance(value, str) else "加引号的文字"
    if name.endswith("EPSILON"):  # 是 0 的话，梯度为 0 的权重就成了 0 除以 0
        return None if real and 0 < value < 1 else "大于 0、小于 1 的数"
    if name.endswith(FRACTIONS):
        return None if real and 0 <= value < 1 else "从 0 到 1 的数，不包括 1"
    for ending, least in WHOLE.items():
        if name == ending or name.endswith("_" + ending):
            good = whole and least <= value and (most is None or value <= most)
            limit = f"从 {least} 到 {most} 的整数"
            if most is None:
                limit = f"不小于 {least} 的整数"
            return None if good else limit
    return None
