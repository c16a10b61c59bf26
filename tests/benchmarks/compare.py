"""脚本和书中的做法比时间、比内存：轮流各跑几遍；要看的是比值，秒数只供核对

    python tests/benchmarks/compare.py                 每个脚本各比一遍
    python tests/benchmarks/compare.py 3_4_imdb -n 3   轮流各跑 3 遍，取中位数

从加载数据算到最后一次评估，不算导入 TensorFlow 的时间，也不算脚本里标着（书外）
的单元格；两边都在各自的新进程里跑。需要缓存里有真实数据，手动运行，不属于测试
SHORT 里的几个，书中的做法太久，默认两边都只跑一部分轮次；5_2_cats_dogs 的书中做法
还需要 pip install scipy
"""

import argparse
import inspect
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# 书中做法太久的，两边都改成这样
SHORT = {
    "3_6_boston": {"NUM_EPOCHS": 10, "LONG_NUM_EPOCHS": 50, "FINAL_EPOCHS": 80},
    "5_2_cats_dogs": {"EPOCHS": 4, "AUGMENTED_EPOCHS": 4},
    "6_2_rnn": {"EPOCHS": 2},
    "6_3_jena_temp": {"EPOCHS": 3},
    "6_4_conv1d": {"IMDB_EPOCHS": 2, "JENA_EPOCHS": 3, "GRU_EPOCHS": 3},
    # 没有 GPU 时脚本的生成器减半，比的时候要和书中一样宽
    "8_5_gan": {"ITERATIONS": 120, "FILTERS": 256, "SAVE_EVERY": 120},
}
# 只比到这一格之前：6.3 节前两个网络，6.1 节只比 6.1.2 节
STOP_AT = {"6_3_jena_temp": "6.3.6", "6_1_embeddings": "6.1.3"}


def peak_memory():
    """本进程用过的最多内存，GB；Windows 没有 resource，返回 nan"""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def run_ours(name, constants):
    """执行脚本的各个单元格，返回秒数，不算（书外）和最后的对照表"""
    text = (ROOT / f"{name}.py").read_text(encoding="utf-8")
    for constant, value in constants.items():
        text, found = re.subn(rf"(?m)^{constant} = .*$", f"{constant} = {value}", text)
        assert found == 1, constant
    imports, *cells = re.split("(?m)^(?=# %% )", text)
    namespace = {"__name__": "__main__"}
    exec(imports, namespace)
    import common.results

    common.results.OUTPUT = Path(tempfile.mkdtemp())  # 别覆盖读者的结果
    start = time.perf_counter()
    for cell in cells:
        heading = cell.splitlines()[0]
        if name in STOP_AT and STOP_AT[name] in heading:
            break
        if "（书外）" not in heading and "书中的结果和本次的结果" not in heading:
            exec(compile(cell, heading, "exec"), namespace)
    return time.perf_counter() - start


def run_book(name, constants):
    import book_way
    import keras

    keras.utils.set_random_seed(0)
    constants = {key.lower(): value for key, value in constants.items()}
    known = inspect.signature(book_way.SECTIONS[name]).parameters
    arguments = {key: value for key, value in constants.items() if key in known}
    start = time.perf_counter()
    book_way.SECTIONS[name](**arguments)
    return time.perf_counter() - start


def measure(way, name, constants):
    """在新进程里跑一遍，返回 (秒, GB, 每轮平均每步的毫秒数的列表)"""
    process = subprocess.run(
        [sys.executable, __file__, name, "--child", way, json.dumps(constants)],
        env=os.environ | {"MPLBACKEND": "Agg", "DLPY_DATA": "real"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if process.returncode:
        sys.exit(process.stderr)
    steps = map(to_milliseconds, re.findall(r" - (\d+)(m?)s/step", process.stdout))
    return *json.loads(process.stdout.splitlines()[-1]), list(steps)


def to_milliseconds(match):
    """fit 每轮打印的 58ms/step 或 2s/step，包括验证的时间"""
    number, milli = match
    return int(number) if milli else 1000 * int(number)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("-n", type=int, default=1, help="轮流各跑几遍")
    parser.add_argument("--full", action="store_true", help="各跑足默认的轮次")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if options.child:
        way, constants = options.child[0], json.loads(options.child[1])
        run = run_ours if way == "ours" else run_book
        seconds = run(options.names[0], constants)
        print("\n" + json.dumps([seconds, peak_memory()]))
        return
    from book_way import SECTIONS

    for name in options.names or SECTIONS:
        constants = {} if options.full else SHORT.get(name, {})
        times, memories = [], []
        for _ in range(options.n):
            ours = measure("ours", name, constants)
            book = measure("book", name, constants)
            times.append(ours[0] / book[0])
            memories.append(ours[1] / book[1])
            print(
                f"{name}：脚本 {ours[0]:.1f} 秒 {ours[1]:.2f} GB，"
                f"书中的做法 {book[0]:.1f} 秒 {book[1]:.2f} GB",
                flush=True,
            )
            print(
                f"    各轮的毫秒/步，脚本 {ours[2]}，书中的做法 {book[2]}", flush=True
            )
        print(
            f"{name}：时间比 {statistics.median(times):.2f}，"
            f"内存比 {statistics.median(memories):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
