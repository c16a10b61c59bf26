"""训练到一半的网络：设置相同才接着来，历史一轮不多一轮不少；还要多久说得对"""

import errno
import json
import os
import signal
import subprocess
import sys

from common import Fault, output, training

import h5py
import keras
import numpy as np
import pytest
from harness import ROOT


def small_network(units=2, learning_rate=0.1):
    layer = keras.layers.Dense(units)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(learning_rate), "mse")
    return model


def fit(folder, targets, *callbacks):
    """每轮换一个目标：离网络的输出越远，验证损失越大；返回网络"""
    model, x = small_network(), np.ones((4, 3), "float32")
    model.optimizer.learning_rate = 0.0  # 权重不动，验证损失才由我们说了算
    for target in targets:
        y = model.predict(x, verbose=0) + target
        model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=list(callbacks))
    return model


def test_save_best_keeps_the_lowest_validation_loss(tmp_path):
    """只在验证损失创新低时存；接着训练时，被打断之前的记录也算数"""
    saved = []

    def count(model, path):
        saved.append(path)
        original(model, path)

    original = keras.Model.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "save", count)
        fit(tmp_path, [3, 4, 1, 2], training.SaveBest(tmp_path))
        assert len(saved) == 2
        (tmp_path / "history.csv").write_text("epoch,val_loss\n0,9\n1,1\n")
        fit(tmp_path, [2, 1.5], training.SaveBest(tmp_path))
        assert len(saved) == 2
        model = fit(tmp_path, [0.5], training.SaveBest(tmp_path))
        assert len(saved) == 3
    best = keras.models.load_model(tmp_path / "best.keras")
    np.testing.assert_array_equal(best.get_weights()[0], model.get_weights()[0])
    assert {path.name for path in saved} == {f".best.{os.getpid()}.keras"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.keras", "history.csv"]


@pytest.mark.parametrize(
    ("damage", "epochs_again"),
    [
        (lambda folder: cut(folder / "latest.weights.h5"), 2),
        (lambda folder: (folder / "training_metadata.json").write_text(""), 2),
        (lambda folder: [cut(path) for path in forget_previous(folder)], 3),
        (lambda folder: None, 1),
    ],
)
def test_half_written_backup(tmp_path, damage, epochs_again, capsys):
    """存到一半的网络读不出来：退回再前一轮；再前一轮也没有，就从头来"""
    x = np.ones((4, 3), "float32")

    def train(epochs):
        model = small_network()
        backup = training.Backup(tmp_path)
        history = model.fit(x, x[:, :2], epochs=epochs, verbose=0, callbacks=[backup])
        return model, history.epoch

    train(2)
    damage(tmp_path / "backup")
    model, epochs = train(3)
    assert epochs == list(range(3))[-epochs_again:]
    assert ("退回再前一轮" in capsys.readouterr().out) == (epochs_again > 1)
    assert np.isfinite(model.get_weights()[0]).all()


def cut(path):
    """文件打得开，内容却不全，就像写到一半"""
    with h5py.File(path, "r+") as file:
        del file["layers"]


def forget_previous(folder):
    for path in folder.glob("*.bkp"):
        path.unlink()
    return [folder / "latest.weights.h5"]


def test_both_backups_are_lost(tmp_path):
    """最近两次存的网络都坏了：说清楚，每次运行都一样"""
    x = np.ones((4, 3), "float32")
    backup = training.Backup(tmp_path)
    small_network().fit(x, x[:, :2], epochs=3, verbose=0, callbacks=[backup])
    for path in [*tmp_path.rglob("*.h5"), *tmp_path.rglob("*.h5.bkp")]:
        path.write_bytes(path.read_bytes()[:100])
    for _ in range(2):
        with pytest.raises(Fault, match="都读不出来：删掉"):
            backup = training.Backup(tmp_path)
            small_network().fit(x, x[:, :2], epochs=3, verbose=0, callbacks=[backup])


@pytest.mark.parametrize(
    ("history", "left", "printed"),
    [
        # 记下第 3 轮、还没存网络就断电：第 3 轮会重来，先去掉
        ("epoch,loss\n0,0.1\n1,0.2\n2,0.3\n", [0.1, 0.2], "前 2 轮不用重来"),
        # 第 3 轮只记下半行，以后的不能接在它后面
        ("epoch,loss\n0,0.1\n1,0.2\n2,0", [0.1, 0.2], "前 2 轮不用重来"),
        # 半行正好是一个完整的数：12 只写了 1，不能当成第 2 轮
        ("epoch,loss\n0,0.1\n1,0.2\n1", [0.1, 0.2], "前 2 轮不用重来"),
        ("epoch,loss\n0,0.1\n1,0.2\n\0\0\0\0", [0.1, 0.2], "前 2 轮不用重来"),
        ("epoch,loss\n0,0.1\n\0\0,0.9\n1,0.2\n", [0.1, 0.2], "前 2 轮不用重来"),
        # 历史丢了一轮，不能把后面的当成前面的
        ("epoch,loss\n0,0.1\n", None, "历史却不全"),
        ("", None, "历史却不全"),
        ("\0\0\0\0,0.1\n1,0.2\n", None, "历史却不全"),
    ],
)
def test_history_and_backup_disagree(history, left, printed, capsys):
    folder = training.checkpoint_folder("x", 1, small_network(), 3, [])
    trained(folder, history, 2)
    training.checkpoint_folder("x", 1, small_network(), 3, [])
    assert training.whole_history(folder).get("loss") == left
    assert printed in capsys.readouterr().out
    if left:
        assert (folder / "history.csv").read_text().endswith("\n1,0.2\n")


@pytest.mark.parametrize("logs", [{"loss": 1.0, "val_loss": np.nan}, {"loss": np.inf}])
def test_loss_that_is_not_finite_is_not_saved(tmp_path, logs):
    """权重还是有限的数，损失已经不是：也当轮停下，不存盘"""
    backup = training.Backup(tmp_path)
    backup.set_model(small_network())
    with pytest.raises(Fault, match="第 2 轮之后有的损失或权重.*不存盘"):
        backup.on_epoch_end(1, logs)
    assert not list(tmp_path.rglob("*.h5"))


def test_first_epoch_lost(tmp_path):
    """第一轮只记下半行就断电"""
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n0,0.1\n")
    assert training.SaveBest(tmp_path).best == np.inf


def test_best_network_lost(tmp_path):
    """记下了一轮、还没有存网络就断电：下一轮不是最好的也先存着"""
    (tmp_path / "history.csv").write_text("epoch,val_loss\n0,0.1\n")
    fit(tmp_path, [2], training.SaveBest(tmp_path))
    assert (tmp_path / "best.keras").exists()


def test_seconds_per_epoch(tmp_path, monkeypatch):
    """取中位数；两次训练之间停了多久不算"""
    now = [0.0]
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    assert np.isnan(training.seconds_per_epoch(tmp_path))
    for seconds in ([50, 7, 8], [60, 9]):
        callback = training.TimeLeft(tmp_path)
        callback.set_params({"epochs": 10})
        now[0] += 1000
        callback.on_train_begin()
        for i, duration in enumerate(seconds):
            now[0] += duration
            callback.on_epoch_end(i)
    assert training.seconds_per_epoch(tmp_path) == 9
    with open(tmp_path / "seconds.txt", "a") as file:
        file.write("12.345.6")  # 断电时只写了一半，后面又接上一行
    assert training.seconds_per_epoch(tmp_path) == 9


def trained(folder, history, epochs):
    """folder 里像是训练过 epochs 轮"""
    (folder / "backup").mkdir(exist_ok=True)
    metadata = folder / "backup" / "training_metadata.json"
    metadata.write_text(json.dumps({"epoch": epochs}))
    (folder / "history.csv").write_text(history)


def test_unfinished_training_is_kept_only_for_the_same_settings(capsys):
    def unfinished(model, settings=(1, 2), epochs=3):
        return training.checkpoint_folder("x", 1, model, epochs, list(settings))

    trained(unfinished(small_network()), "epoch,loss\n0,0.5\n", 1)
    # 同样的网络再建一次，Keras 给它的名字不同，也算同一个
    folder = unfinished(small_network())
    assert capsys.readouterr().out == "接着上次中断的训练，前 1 轮不用重来\n"
    unfinished(small_network(), epochs=1)
    assert capsys.readouterr().out == "1 轮上次已经训练完，直接用那时的结果\n"
    # 轮数可以改多，也可以改少，只要没有超过
    assert unfinished(small_network(), epochs=100) == folder
    assert unfinished(small_network(), epochs=1) == folder
    assert (folder / "history.csv").exists()
    capsys.readouterr()
    changes = [
        (small_network(units=3), (1, 2), 3),
        (small_network(learning_rate=0.2), (1, 2), 3),
        (small_network(), (1, 3), 3),
        (small_network(), (1, 3), 1),
    ]
    for i, (model, settings, epochs) in enumerate(changes):
        text = f"epoch,loss\n0,0.5\n1,0.{i}\n"
        trained(folder, text, 2)
        assert unfinished(model, settings, epochs) == folder
        assert not (folder / "history.csv").exists()
        assert "从头开始" in capsys.readouterr().out
        # 上次的结果没有删，只是改了名
        kept = folder.parent.glob("1.old-*/history.csv")
        assert text in [path.read_text() for path in kept]
    trained(folder, "epoch,loss\n0,0.5\n", 1)
    output.synthetic_in_use.add("mnist")
    unfinished(small_network())
    assert not (folder / "history.csv").exists()
    assert len(list(folder.parent.glob("1*"))) == 1 + len(changes) + 1


@pytest.mark.parametrize(
    "text, losses",
    [
        ("epoch,loss,val_loss\n0,0.5,1\n1,0.4,2\n", [0.5, 0.4]),
        # 记下第 2 轮之后、存好网络之前断电，第 2 轮又来一遍
        ("epoch,loss,val_loss\n0,0.5,1\n1,0.4,2\n1,0.3,3\n2,0.2,4\n", [0.5, 0.3, 0.2]),
        # 最后一行没写完
        ("epoch,loss,val_loss\n0,0.5,1\n1,0.4\n", [0.5]),
        ("", None),
    ],
)
def test_whole_history(tmp_path, text, losses):
    assert training.whole_history(tmp_path) == {}
    (tmp_path / "history.csv").write_text(text)
    history = training.whole_history(tmp_path)
    assert history.get("loss") == losses
    assert "epoch" not in history


def test_time_left(monkeypatch, capsys):
    """每轮 60 秒，从第 3 轮接着训练到第 40 轮"""
    now = [1000.0]
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    callback = training.TimeLeft()
    callback.set_params({"epochs": 40})
    callback.on_train_begin()
    for epoch in range(2, 40):
        now[0] += 60
        callback.on_epoch_end(epoch)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "第 3 轮结束，照这样还要约 37 分钟"
    assert lines[1] == "第 4 轮结束，照这样还要约 36 分钟"
    assert lines[2] == "第 8 轮结束，照这样还要约 32 分钟"
    assert lines[-1] == "第 36 轮结束，照这样还要约 4 分钟"
    assert len(lines) == 10
    assert output.spoken(40) == "40 秒"
    assert output.spoken(2 * 3600) == "2.0 小时"


@pytest.fixture
def ctrl_c():
    """一个按 Ctrl-C 的函数；从后台启动的测试不理会 Ctrl-C，这里要像在终端里一样"""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda *arguments, **keywords: signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize(
    ("moment", "steps", "epochs_kept"),
    [
        ("on_train_batch_begin", 2, 0),  # 第一批就按，但是这一批要算完
        ("on_test_batch_begin", 4, 0),
        ("on_epoch_end", 4, 1),  # 正在存这一轮，存完再停
    ],
)
def test_ctrl_c_waits_for_the_step(tmp_path, ctrl_c, moment, steps, epochs_kept):
    class Press(keras.callbacks.Callback):
        pressed = 0

    def press(self, number, logs=None):
        Press.pressed += 1
        if Press.pressed == (2 if "train" in moment else 1):
            ctrl_c()

    setattr(Press, moment, press)
    model, x = small_network(), np.ones((8, 3), "float32")
    data = {"x": x, "y": x[:, :2], "validation_data": (x, x[:, :2])}
    backup = training.Backup(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        model.fit(**data, batch_size=2, epochs=3, callbacks=[Press(), backup])
    assert model.optimizer.iterations == steps
    assert (tmp_path / "backup" / "latest.weights.h5").exists() == bool(epochs_kept)
    again = model.fit(**data, epochs=3, callbacks=[training.Backup(tmp_path)])
    assert again.epoch == list(range(epochs_kept, 3))


def test_second_ctrl_c_does_not_wait(ctrl_c):
    with training.CtrlC() as waiting:
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            waiting.check()
        waiting.check()


def test_interruptible(ctrl_c):
    done = []
    with pytest.raises(KeyboardInterrupt):
        for step in training.interruptible(range(5)):
            if step == 2:
                ctrl_c()
            done.append(step)
    assert done == [0, 1, 2]
    assert list(training.interruptible(range(3))) == [0, 1, 2]


def test_ctrl_c_stays_ignored(ctrl_c):
    """nohup 之类启动的进程不理会 Ctrl-C，训练的时候也不理会"""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for _ in training.interruptible(range(2)):
        ctrl_c()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_folder_in_use_cannot_be_put_aside(monkeypatch):
    """Windows 上里面有打开着的文件，文件夹就改不了名：停下说明，什么也不丢"""
    folder = training.settings_folder("x", 3, [], [])

    def refuse(source, target):
        raise PermissionError(errno.EACCES, "denied", str(source), 5, str(target))

    monkeypatch.setattr(output.os, "replace", refuse)
    monkeypatch.setattr(output.time, "sleep", lambda seconds: None)
    with pytest.raises(Fault, match="3 改名放到一边，但是denied.*Notebook"):
        training.settings_folder("x", 3, [], ["别的设置"])
    assert (folder / "settings.txt").exists()


def test_two_processes_do_not_share_a_folder():
    """另一个进程正在用这个文件夹：停下说明；它结束了，被杀死也一样，就可以用了"""
    code = (
        "import pathlib, sys, time; from common import output, training;"
        "output.OUTPUT = pathlib.Path(sys.argv[1]);"
        "training.settings_folder('x', 1, [], []); print('ok', flush=True);"
        "time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(output.OUTPUT)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline().strip() == b"ok"
    with pytest.raises(Fault, match="正由另一个进程使用"):
        training.settings_folder("x", 1, [], [])
    training.settings_folder("x", 2, [], [])
    process.kill()
    process.communicate()
    folder = training.settings_folder("x", 1, [], [])
    assert training.settings_folder("x", 1, [], []) == folder
