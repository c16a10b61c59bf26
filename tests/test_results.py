"""图和结果文件：写完整了才有正式的名字；用了合成数据，图、历史、表都标明"""

from common import plotting, results, synthetic_in_use

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from look import images, width

HISTORY = {"loss": [3.0, 2.0], "val_loss": [3.5, 2.5], "lr": [1, 1]}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, None])
def test_file_is_whole_or_not_there(tmp_path, error):
    """写的时候旧的还在；出了错，旧的一直在；写完改名，是一瞬间的事"""
    path = tmp_path / "model.keras"
    path.write_text("旧的", encoding="utf-8")
    try:
        with results.complete_file(path) as temporary:
            assert temporary.suffix == ".keras"  # Keras 要求这个扩展名
            assert temporary.name.startswith(".")
            temporary.write_text("新的", encoding="utf-8")
            assert path.read_text(encoding="utf-8") == "旧的"
            written = temporary.stat().st_ino
            if error:
                raise error
    except (OSError, KeyboardInterrupt):
        assert path.read_text(encoding="utf-8") == "旧的"
    else:
        assert path.stat().st_ino == written
    assert list(tmp_path.iterdir()) == [path]


def test_history_table_and_figure_tell_synthetic_from_real(capsys):
    for names in (set(), {"imdb", "jena"}):
        synthetic_in_use.update(names)
        results.save_history(HISTORY, "demo")
        results.print_comparison([("测试精度", "0.9", 0.8), ("轮", "1", 12345)])
        table = pd.read_csv(results.OUTPUT / "demo" / "history.csv")
        assert list(table["epoch"]) == [1, 2]
        assert table[[*HISTORY]].to_dict("list") == HISTORY
        assert list(table.get("data", [])) == ["synthetic"] * 2 * bool(names)
        lines = capsys.readouterr().out.strip("\n").splitlines()
        assert len({width(line) for line in lines[:3]}) == 1  # 一个汉字占两列，对得齐
        assert all("【合成数据】" in x and "imdb、jena" in x for x in lines[3:])
        assert len(lines) == 3 + bool(names)
        plt.figure()
        plotting.save_figure("demo", "x")
        marks = [text.get_text() for text in plt.gcf().texts]
        assert marks == ["SYNTHETIC DATA\nimdb jena"] * bool(names)


def test_history_is_dots_and_a_line():
    """圆点是训练集，实线是验证集，虚线是用来比较的；没有验证的指标不画"""
    plotting.plot_history(HISTORY, "demo", "gru_", {"val_loss": [9, 8, 7]}, "other")
    plotting.plot_images(np.empty((0, 28, 28)), [], "demo", "empty")  # 一张也没认错
    assert images(results.OUTPUT / "demo") == ["empty", "gru_loss"]
    axes = plt.figure(1).axes[0]
    training, validation, reference = axes.lines
    assert (training.get_marker(), training.get_linestyle()) == ("o", "None")
    assert (validation.get_marker(), validation.get_linestyle()) == ("None", "-")
    assert reference.get_linestyle() == "--"
    np.testing.assert_array_equal(training.get_xydata(), [[1, 3.0], [2, 2.0]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 3.5], [2, 2.5]])
    np.testing.assert_array_equal(reference.get_xydata(), [[1, 9], [2, 8], [3, 7]])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["Training loss", "Validation loss", "other"]
    assert all(tick == int(tick) for tick in axes.get_xticks())
