"""各脚本共用的杂事：数据加载、合成数据、画图、结果存盘；不含任何要学的内容

导入本包时做三件看不见的事，所有脚本都受益，所以脚本总是先导入 common 再导入 keras：
1. 导入 TensorFlow 时不让它往屏幕上写启动日志（自己设了 TF_CPP_MIN_LOG_LEVEL 则不动）
2. 控制台的编码（如 GBK）写不出的字符显示成「?」，不让程序为此中断
3. 能预料的故障（Fault、Ctrl-C、磁盘满、内存不够）只打印一句中文，不打印调用栈；为此
   换掉 Python 处理 Ctrl-C 的函数，TensorFlow 把 Ctrl-C 弄丢了也知道按过
"""

import _thread
import errno
import os
import signal
import sys
import threading
import time

__all__ = ["Fault"]


class Fault(Exception):
    """能预料的故障，信息里写明：发生了什么、为什么、怎么办"""


def _import_tensorflow_quietly():
    """部分启动日志由 C++ 直接写到文件描述符 2，只有在导入期间换掉它才拦得住"""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import tensorflow

        # “retracing” 之类的提醒只对写库的人有用
        tensorflow.get_logger().setLevel("ERROR")
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def explain(error):
    """把能预料的异常翻成一句中文

    参数：error，异常对象
    返回：str；不认识的异常返回 None，由 Python 照常打印调用栈
    """
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "已中断（Ctrl-C）：已经写完的文件都完整，再运行一次同样的命令即可"
    if isinstance(error, MemoryError) or type(error).__name__ == (
        "ResourceExhaustedError"
    ):
        # TensorFlow 的说明有几十行，第一行就够了
        detail = str(error).partition("\n")[0]
        message = "内存不够：调小脚本开头的 NUM_WORDS、BATCH_SIZE 或 VAL_BATCH_SIZE"
        return f"{message}（{detail}）" if detail else message
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"磁盘满了，没能写完 {error.filename or '文件'}：腾出空间后再运行一次"
    if isinstance(error, PermissionError) or (
        isinstance(error, OSError) and error.errno == errno.EROFS
    ):
        # 改名时 filename2 才是正式的文件，filename 是临时的
        name = error.filename2 or error.filename or error
        message = f"没有读写权限：{name}，检查它所在的文件夹是否只读"
        if os.name == "nt":
            message += "，或者它正被别的程序（例如 Excel）打开，关掉再运行一次"
        return message
    return None


def _note_ctrl_c(number, frame):
    global _ctrl_c_time
    _ctrl_c_time = time.monotonic()
    signal.default_int_handler(number, frame)


def _excepthook(kind, error, traceback):
    message = explain(error)
    # TensorFlow 的 C++ 部分有时把 Ctrl-C 变成别的异常，例如 TypeError
    if message is None and time.monotonic() - _ctrl_c_time < 5:
        message = explain(KeyboardInterrupt())
    if message is None:
        _original_excepthook(kind, error, traceback)
    else:
        print(message, file=sys.stderr)


def _unraisablehook(unraisable):
    """在析构函数里，Python 会丢掉这次 Ctrl-C，所以过一会儿再来一次"""
    if unraisable.exc_type is KeyboardInterrupt:
        try:
            threading.Timer(0.05, _thread.interrupt_main).start()
        except RuntimeError:  # Python 正在退出，反正要结束了
            pass
    else:
        _original_unraisablehook(unraisable)


_ctrl_c_time = -5.0
# 只换 Python 自己的；忽略 Ctrl-C 的仍然忽略，调试器换过的不动
if (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, _note_ctrl_c)
_original_excepthook = sys.excepthook
sys.excepthook = _excepthook
_original_unraisablehook = sys.unraisablehook
sys.unraisablehook = _unraisablehook
for _stream in (sys.stdout, sys.stderr):
    if hasattr(_stream, "reconfigure"):
        _stream.reconfigure(errors="replace")
if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
    try:
        _import_tensorflow_quietly()
    except (AttributeError, OSError):  # 没有标准错误可换，例如 pythonw
        pass
