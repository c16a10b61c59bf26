"""图和结果文件：有没有中文字体、有没有图形界面都行，写到一半出错不留下坏文件"""

import errno
import os
import warnings

from common import explain, output, plotting

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.backend_bases import FigureManagerBase

HISTORY = {"loss": [3.0, 2.0], "val_loss": [3.5, 2.5], "accuracy": [0.1, 0.2]}


def texts(figure):
    """图上的全部文字"""
    return [t.get_text() for t in figure.findobj(plt.Text) if t.get_text()]


def test_history_is_dots_and_a_line():
    plotting.plot_history(HISTORY, "demo")
    loss, accuracy = [plt.figure(n) for n in plt.get_fignums()]
    training, validation = loss.axes[0].lines
    assert (training.get_marker(), training.get_linestyle()) == ("o", "None")
    assert (validation.get_marker(), validation.get_linestyle()) == ("None", "-")
    np.testing.assert_array_equal(training.get_xydata(), [[1, 3.0], [2, 2.0]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 3.5], [2, 2.5]])
    assert all(tick == int(tick) for tick in loss.axes[0].get_xticks())
    assert len(accuracy.axes[0].lines) == 1  # 没有验证精度，就只有训练精度
    names = sorted(path.name for path in (output.OUTPUT / "demo").iterdir())
    assert names == ["accuracy.png", "loss.png"]


def test_windows_are_told_apart(monkeypatch):
    """6.3 节弹出好几张「训练损失和验证损失」，看窗口的标题才知道是哪个实验的"""
    titles = {}
    monkeypatch.setattr(
        FigureManagerBase,
        "set_window_title",
        lambda manager, title: titles.update({manager.num: title}),
    )
    plotting.plot_history(HISTORY, "demo", "gru_")
    assert list(titles.values()) == ["gru_loss", "gru_accuracy"]


@pytest.mark.parametrize("font", [None, "Noto Sans CJK JP"])
def test_never_boxes(monkeypatch, font):
    """没有中文字体就不出现一个汉字；有就用中文，而且画得出来，负号也一样"""
    installed = set(font_manager.get_font_names())
    if font and font not in installed:
        pytest.skip(f"没有安装 {font}")
    monkeypatch.setattr(plotting, "cjk_font", font)
    with plt.rc_context({"font.sans-serif": [font or "DejaVu Sans", "DejaVu Sans"]}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # “Glyph missing” 是警告
            output.synthetic_in_use.add("mnist")
            plotting.plot_history(HISTORY, "demo")
            plt.plot([-1, 1], [-1, 1])
            plotting.save_figure("demo", "minus")
    shown = "".join(t for n in plt.get_fignums() for t in texts(plt.figure(n)))
    chinese = any("\u4e00" <= character <= "\u9fff" for character in shown)
    assert chinese == bool(font)


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (["DejaVu Sans"], None),
        (["DejaVu Sans", "SimHei", "Microsoft YaHei"], "Microsoft YaHei"),
        (["PingFang SC", "DejaVu Sans"], "PingFang SC"),
        (["Noto Sans CJK JP"], "Noto Sans CJK JP"),
    ],
)
def test_picks_the_first_installed_cjk_font(monkeypatch, installed, expected):
    monkeypatch.setattr(font_manager, "get_font_names", lambda: installed)
    assert plotting._find_cjk_font() == expected


def test_figures_on_synthetic_data_say_so():
    plt.figure()
    plotting.save_figure("demo", "real")
    assert texts(plt.gcf()) == []
    output.synthetic_in_use.add("mnist")
    plt.figure()
    plotting.save_figure("demo", "synthetic")
    assert texts(plt.gcf()) == [plotting.label("合成数据", "SYNTHETIC DATA")]


def test_image_grid():
    images = np.arange(7 * 4).reshape(7, 2, 2)
    plotting.plot_images(images, list("abcdefg"), "demo", "grid", columns=3)
    axes = plt.gcf().axes
    assert len(axes) == 9  # 三行三列，后两格空着
    np.testing.assert_array_equal(axes[6].images[0].get_array(), images[6])
    assert [len(axis.images) for axis in axes] == [1] * 7 + [0] * 2
    assert [axis.get_title() for axis in axes[:7]] == list("abcdefg")
    assert (output.OUTPUT / "demo" / "grid.png").stat().st_size > 1000


def test_no_images_no_error():
    """一张也没认错时，网格是空的"""
    plotting.plot_images(np.empty((0, 28, 28)), [], "demo", "empty")
    assert (output.OUTPUT / "demo" / "empty.png").exists()


@pytest.mark.parametrize(("backend", "shown"), [("agg", 0), ("tkagg", 1)])
def test_windows_only_where_there_is_a_display(monkeypatch, backend, shown):
    calls = []
    monkeypatch.setattr(plt, "get_backend", lambda: backend)
    monkeypatch.setattr(plt, "show", lambda: calls.append(1))
    plt.figure()
    plotting.show_figures()
    assert len(calls) == shown
    assert plt.get_fignums() == []


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("旧的", encoding="utf-8")
    with pytest.raises(OSError):
        with output.complete_file(path) as temporary:
            assert temporary.suffix == ".keras"  # Keras 要求这个扩展名
            temporary.write_text("只写了一半", encoding="utf-8")
            raise OSError(errno.ENOSPC, "No space left on device", str(temporary))
    assert path.read_text(encoding="utf-8") == "旧的"
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize(("busy", "ends"), [(2, "新的"), (3, "旧的")])
def test_busy_file_is_tried_again(tmp_path, monkeypatch, busy, ends):
    """Windows 上杀毒软件刚好打开着文件：等一等再改名；一直打开着，旧文件还在"""
    path = tmp_path / "history.csv"
    path.write_text("旧的", encoding="utf-8")
    original, waits = os.replace, []

    def refuse(source, target):
        if len(waits) < busy:
            raise PermissionError(errno.EACCES, "denied", str(source), 5, str(target))
        original(source, target)

    monkeypatch.setattr(output.os, "replace", refuse)
    monkeypatch.setattr(output.time, "sleep", waits.append)
    monkeypatch.setattr(output, "RETRIES", (0.1, 0.2))
    try:
        with output.complete_file(path) as temporary:
            temporary.write_text("新的", encoding="utf-8")
    except PermissionError as error:
        assert f"没有读写权限：{path}，" in explain(error)  # 不是临时文件的名字
    assert path.read_text(encoding="utf-8") == ends
    assert waits == [0.1, 0.2]
    assert [p.name for p in tmp_path.iterdir()] == ["history.csv"]


def test_flush_asks_for_what_is_possible(tmp_path, monkeypatch):
    """刚写完的文件被杀毒软件打开着、磁盘不支持 fsync，都不要紧；磁盘满了要说"""

    def fail(number):
        def fsync(descriptor):
            raise OSError(number, os.strerror(number))

        return fsync

    path = tmp_path / "history.csv"
    for number in (errno.EACCES, errno.EINVAL):
        monkeypatch.setattr(os, "fsync", fail(number))
        with output.complete_file(path) as temporary:
            temporary.write_text(str(number))
        assert path.read_text() == str(number)
    monkeypatch.setattr(os, "fsync", fail(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        with output.complete_file(path) as temporary:
            temporary.write_text("新的")
    assert [p.name for p in tmp_path.iterdir()] == ["history.csv"]
    assert path.read_text() == str(errno.EINVAL)


def test_finished_file_gets_its_name_by_renaming(tmp_path):
    """改名是一瞬间的事；边写边覆盖的话，中途被打断就只剩半个文件"""
    path = tmp_path / "history.csv"
    path.write_text("旧的", encoding="utf-8")
    with output.complete_file(path) as temporary:
        temporary.write_text("新的", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "旧的"
        written = temporary.stat().st_ino
    assert path.stat().st_ino == written
    assert path.read_text(encoding="utf-8") == "新的"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="只有 Linux 有 /dev/full")
def test_full_disk_is_explained():
    with pytest.raises(OSError) as caught:
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)
    assert "磁盘满了" in explain(caught.value)


def test_history_csv_tells_synthetic_from_real():
    real = pd.read_csv(output.save_history({"loss": [2.0, 1.0]}, "demo"))
    assert list(real.columns) == ["epoch", "loss"]
    assert list(real["epoch"]) == [1, 2] and list(real["loss"]) == [2.0, 1.0]
    output.synthetic_in_use.add("imdb")
    other = pd.read_csv(output.save_history({"loss": [2.0]}, "demo", "other.csv"))
    assert list(other["data"]) == ["synthetic"]


def test_table_columns_line_up():
    """一个汉字占两列，表头和各行的右边才对得齐"""
    table = output.format_table([("测试精度", 0.5), ("ab", 12345)], ["项目", "本次"])
    widths = {
        sum(2 if "\u4e00" <= c <= "\u9fff" else 1 for c in line)
        for line in table.splitlines()
    }
    assert len(widths) == 1


def test_comparison_on_synthetic_data_says_so(capsys):
    output.print_comparison([("测试精度", "0.9", "0.8")])
    assert "合成" not in capsys.readouterr().out
    output.synthetic_in_use.add("imdb")
    output.print_comparison([("测试精度", "0.9", "0.8")])
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert last.startswith("【合成数据】") and "imdb" in last
