"""各脚本共用的杂事，不含任何要学的内容

    datasets.py   数据集：load_mnist、load_imdb……，返回的数组和书中一模一样
    photos.py     5.2 节的照片
    download.py   所有数据集共用的一条路：找文件、验证、下载，拿不到就用合成数据
    synthetic/    真实数据拿不到时的替身，一个数据集一个文件
    plotting.py   画图
    results.py    存模型和训练历史，打印 书中 / 本次 对照表
    training.py   训练到一半可以停下，再运行同样的命令就接着训练

脚本总是先导入 common，再导入 keras，因为导入本包时要做几件看不见的事：
1. 让 Keras 用 TensorFlow 和 float32，不管 ~/.keras/keras.json 里怎么写
2. 导入 TensorFlow 时不让它往屏幕上写启动日志（自己设了 TF_CPP_MIN_LOG_LEVEL 则不动）
3. 控制台的编码（如 GBK）写不出的字符显示成「?」，不让程序为此中断
4. 能预料的故障（Fault）和 Ctrl-C 只打印一句中文，其余的错误照常打印调用栈
5. 关掉 tf.data 的自动调节，fit 每轮结束时就不会白等；算出的结果不变
"""

import importlib.util
import os
import sys


class Fault(Exception):
    """能预料的故障，信息里写明：发生了什么、为什么、怎么办"""


synthetic_in_use = set()  # 本次运行用了哪些合成数据，由 download.load 填写


def _print_one_sentence(kind, error, traceback):
    if isinstance(error, Fault):
        print(error, file=sys.stderr)
    elif isinstance(error, KeyboardInterrupt):
        print("已中断（Ctrl-C）：写完的文件都还在，再运行同样的命令", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


def _import_tensorflow_quietly():
    """一部分启动日志由 C++ 直接写到文件描述符 2，只有在导入期间换掉它才拦得住"""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")  # 「retracing」只对写库的人有用
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


sys.excepthook = _print_one_sentence
# 在 Jupyter 里打开的终端会传来 Notebook 专用的画图方式，没装那个包就不弹窗口
_backend = os.environ.get("MPLBACKEND", "").partition("module://")[2].split(".")[0]
if _backend and not importlib.util.find_spec(_backend):
    os.environ["MPLBACKEND"] = "agg"

os.environ["KERAS_BACKEND"] = "tensorflow"
if "TF_CPP_MIN_LOG_LEVEL" not in os.environ and sys.__stderr__ is not None:
    _import_tensorflow_quietly()
# pythonw 没有控制台，这两个是 None，Keras 往里写就会出错
sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")
sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")
for _stream in (sys.stdout, sys.stderr):
    if hasattr(_stream, "reconfigure"):
        _stream.reconfigure(errors="replace")

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

if keras.__version__ < "3":
    raise Fault(
        f"装的是 Keras {keras.__version__}，这里的脚本要用 Keras 3："
        "运行 python -m pip install -U -r requirements.txt"
    )
keras.config.set_floatx("float32")
keras.config.set_image_data_format("channels_last")
# 自动调节的线程多半在睡觉，数据取完之后有时要白等几秒到一分钟，等它醒来（2.21 也是）
# 没有一个总的开关，所以改的是取数据的入口
_options, _iterate = tf.data.Options(), tf.data.Dataset.__iter__
_options.autotune.enabled = False
tf.data.Dataset.__iter__ = lambda dataset: _iterate(dataset.with_options(_options))
