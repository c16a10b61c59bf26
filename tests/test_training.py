"""训练到一半停下，再运行同样的命令就接着训练，历史一轮不多一轮不少；写到一半的存盘从不用"""

import json
import re
import signal
import subprocess
from types import SimpleNamespace

from common import Fault, results, synthetic_in_use, training
from common.training import Checkpoint

import keras
import numpy as np
import pytest
import tensorflow as tf
from look import changed, weights
from test_startup import real_process

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X[:, :1] - 0.5 * X[:, 1:2]


def network(units=4, learning_rate=0.01, **options):
    layers = [keras.layers.Dense(units, **options), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(keras.optimizers.Adam(learning_rate), "mse", metrics=["mae"])
    return model


def train(epochs, *callbacks, settings=(1,), **options):
    """脚本里的那几行；返回网络和 Checkpoint"""
    keras.utils.set_random_seed(0)
    model = network(**options)
    checkpoint = Checkpoint("demo", "net", model, list(settings))
    callbacks, arguments = [checkpoint, *callbacks], {"epochs": epochs, "batch_size": 8}
    arguments |= {"shuffle": False, "validation_data": (X, Y), "verbose": 0}
    arguments["initial_epoch"] = checkpoint.done
    model.fit(X, Y, callbacks=callbacks, **arguments)
    return model, checkpoint


def press_ctrl_c(batches):
    """训练这么多批之后按 Ctrl-C；每轮 4 批"""

    def press(batch, logs):
        seen.append(batch)
        if len(seen) == batches:
            raise KeyboardInterrupt

    seen = []
    return keras.callbacks.LambdaCallback(on_train_batch_end=press)


def folders():
    return sorted((results.OUTPUT / "demo" / "checkpoints").iterdir())


def files():
    (folder,) = folders()
    return sorted(path.name for path in folder.iterdir())


def numbers(history):
    return {key: values for key, values in history.items() if key != "seconds"}


def test_interrupted_equals_uninterrupted(monkeypatch, tmp_path, capsys):
    """第 4 轮时按 Ctrl-C，再运行，和一次训练完的一样；又一次运行，就直接用"""
    whole, expected = train(6)
    monkeypatch.setattr(results, "OUTPUT", tmp_path / "again")
    with pytest.raises(KeyboardInterrupt):
        train(6, press_ctrl_c(14))
    assert files() == ["2.npz", "3.npz", "best.keras"]
    for done in (3, 6):
        capsys.readouterr()
        model, checkpoint = train(6)
        line = capsys.readouterr().out.splitlines()[0]
        assert f"已经训练过 {done} 轮" in line and f"删掉 {folders()[0]}" in line
        assert not any(changed(weights(model), weights(whole)))
        optimizers = (m.optimizer.variables for m in (model, whole))
        for a, b in zip(*optimizers, strict=True):
            np.testing.assert_array_equal(a, b)
        assert numbers(checkpoint.history) == numbers(expected.history)
    assert [len(values) for values in checkpoint.history.values()] == [6] * 5


@pytest.mark.parametrize("left", [1, 0])
def test_half_written_files(left, capsys):
    """最近一次存的只有一半：用再前一次的；两次都坏了：从头训练，以后照样接得上"""
    whole, expected = train(4)
    (folder,) = folders()
    for path in [folder / "4.npz", folder / "3.npz"][: 2 - left]:
        path.write_bytes(path.read_bytes()[: 600 * left])
    capsys.readouterr()
    with pytest.raises(KeyboardInterrupt):
        train(4, press_ctrl_c(2 if left else 6))
    printed = capsys.readouterr().out
    assert "4.npz 读不出来" in printed and ("已经训练过 3 轮" in printed) == bool(left)
    model, checkpoint = train(4)
    assert f"已经训练过 {3 if left else 1} 轮" in capsys.readouterr().out
    assert not any(changed(weights(model), weights(whole)))
    assert numbers(checkpoint.history) == numbers(expected.history)


def test_hidden_file_of_another_process(capsys):
    """另一个进程正写到一半的文件，以点开头，不能当成最近一次存的，也不能删"""
    train(2)
    hidden = folders()[0] / ".9.12345.npz"
    hidden.write_bytes((folders()[0] / "2.npz").read_bytes()[:500])
    assert train(4)[1].done == 2 and "读不出来" not in capsys.readouterr().out
    assert files() == [hidden.name, "3.npz", "4.npz", "best.keras"]


def test_other_settings_have_their_own_folder():
    """改了网络、学习率、设置、数据，就从头训练；改回来，上次的还在"""
    train(1)
    changes = [{"units": 5}, {"learning_rate": 0.02}, {"settings": (2,)}]
    for count, change in enumerate([*changes, {"activation": "relu"}], 2):
        assert train(1, **change)[1].done == 0 and len(folders()) == count
    synthetic_in_use.add("mnist")
    assert train(1)[1].done == 0 and len(folders()) == 6
    synthetic_in_use.clear()
    assert train(1)[1].done == 1 and len(folders()) == 6


def functional():
    """和 8.5 节一样，网络里套着网络，连接里也写着层的名字"""
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inner(inputs)))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("build", [network, functional])
def test_fingerprint_ignores_names_and_new_defaults(build, monkeypatch):
    """同一个进程里再建一次，层的名字就变；Keras 升级会添新的选项：都还是同一次训练"""
    first, original = training.describe(build()), keras.Model.to_json
    assert training.describe(build()) == first

    def newer(self):
        config = json.loads(original(self))
        config["config"]["new_option"] = None
        config["compile_config"]["optimizer"]["config"]["new_option"] = False
        return json.dumps(config)

    monkeypatch.setattr(keras.Model, "to_json", newer)
    assert training.describe(build()) == first


def test_best_is_the_epoch_of_the_lowest_validation_loss():
    """验证损失先降后升：最好的一轮的网络留着，中断之前的也算数"""
    rates, remembered = [0.05, 0.05, 9.0, 0.05, 9.0], []

    class Rates(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = rates[epoch]

        def on_epoch_end(self, epoch, logs=None):
            remembered.append(weights(self.model))

    with pytest.raises(KeyboardInterrupt):
        train(5, Rates(), press_ctrl_c(14))
    _, checkpoint = train(5, Rates())
    losses = checkpoint.history["val_loss"]
    assert np.argmin(losses) == 1 and len(losses) == 5
    best = keras.models.load_model(checkpoint.best)
    assert not any(changed(weights(best), remembered[1]))
    assert best.evaluate(X, Y, verbose=0)[0] == pytest.approx(min(losses), rel=1e-5)


def test_nan_is_not_saved():
    """第 3 轮权重成了 NaN：停下说明，不存；存过的还在，再运行从那里接着来"""

    class Blow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 10:
                self.model.layers[0].kernel.assign(np.full((3, 4), np.nan))

    with pytest.raises(Fault, match="第 3 轮.*NaN.*学习率"):
        train(5, Blow())
    assert files() == ["1.npz", "2.npz", "best.keras"]
    _, checkpoint = train(5)
    assert checkpoint.done == 2 and np.isfinite(checkpoint.history["loss"]).all()


def test_fit_does_not_wait_for_autotune(monkeypatch):
    """tf.data 的自动调节关掉了：开着，每轮结束时有时要等它，最长一分钟"""
    seen, original = [], tf.data.Dataset.with_options

    def spy(dataset, options):
        seen.append(options.autotune.enabled)
        return original(dataset, options)

    monkeypatch.setattr(tf.data.Dataset, "with_options", spy)
    network().fit(X, Y, validation_data=(X, Y), verbose=0)
    assert seen.count(False) >= 2  # 训练的和验证的


def started(tmp_path, monkeypatch, line, script, change):
    """在新进程里运行脚本，等到打印出 line；之后在这里接着运行"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(**real_process(tmp_path, script, change), **pipes)
    assert any(line in printed.decode("gbk") for printed in process.stdout)
    monkeypatch.setattr(results, "OUTPUT", tmp_path / "输出")
    return process


def test_cats_dogs_goes_on_after_a_kill(tmp_path, run_tiny, monkeypatch, capsys):
    """kill -9 之后运行同样的命令：从存过的那一轮接着训练，历史完整"""
    script = "5_2_cats_dogs.py"
    with started(tmp_path, monkeypatch, "Epoch 4/12", script, "EPOCHS=12") as process:
        process.kill()
    ns = run_tiny(script, EPOCHS=12, until="5.2.5")
    printed = capsys.readouterr().out
    done = int(re.search(r"已经训练过 (\d+) 轮", printed)[1])
    assert done >= 3 and printed.count("Epoch ") == 12 - done
    assert [len(values) for values in ns["history"].values()] == [12] * 5
    assert ns["model"].optimizer.iterations == 12 * 4


def test_gan_goes_on_after_ctrl_c(tmp_path, run_tiny, monkeypatch, capsys):
    """Ctrl-C 只有一句话；再运行，从存过的那一步接着训练，历史完整"""
    script = "8_5_gan.py"
    with started(tmp_path, monkeypatch, "第 4 步", script, "ITERATIONS=60") as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    (line,) = err.decode("gbk").splitlines()
    assert line.startswith("已中断（Ctrl-C）") and process.returncode != 0
    ns = run_tiny(script, ITERATIONS=60, until="上面一行")
    done = int(re.search(r"已经训练过 (\d+) 轮", capsys.readouterr().out)[1])
    assert 2 <= done < 60 and done % 2 == 0
    assert [len(values) for values in ns["history"].values()] == [60, 60]
    assert ns["gan_optimizer"].iterations == 60


@pytest.mark.parametrize(("half", "faster"), [([8, 1, 7], True), ([8, 1.8, 7], False)])
def test_bfloat16_must_be_clearly_faster(monkeypatch, half, faster):
    """各看最快的一次，偶尔变慢不算；差得不多就不用，免得两次运行结果不同"""
    times = [0.0]
    for seconds in [9, half[0], 2, half[1], 2, half[2]] * 30:
        times += [times[-1] + seconds] * 2
    fake = SimpleNamespace(perf_counter=iter(times).__next__)
    monkeypatch.setattr(training, "time", fake)
    assert training.bfloat16_is_faster() is faster
