"""训练到一半可以停下，再运行同样的命令就接着训练；训练要几分钟以上的脚本用"""

import hashlib
import json
import re
import time
import zipfile

from common import Fault, synthetic_in_use
from common.results import complete_file, output_dir

import keras
import numpy as np
import tensorflow as tf


class Checkpoint(keras.callbacks.Callback):
    """fit 的回调函数：每轮把网络、优化器和训练历史存成一个文件，三样总是对得上

    用法：
        checkpoint = Checkpoint("5_2_cats_dogs", "plain", model, [EPOCHS, SEED])
        model.fit(…, initial_epoch=checkpoint.done, callbacks=[checkpoint])
        history = checkpoint.history  # 包括中断之前的那些轮

    参数：name，脚本名；part，哪个网络；model，编译过的网络；settings，影响训练的
        其他设置；variables，不用 fit 训练时（8.5 节）要存的全部变量
    存在 output/<name>/checkpoints/<part>-<网络和设置的摘要>/，所以改了网络或者设置，
    就从头训练；留最近两次的，一个读不出来就用前一个
    属性：part；folder；done，训练过几轮（步）；history，{键: 每轮一个数}，比 fit 的
        多一个键 seconds；best，验证损失最低的那一轮存成的模型
    异常：Fault，训练发散了，这一轮不存
    """

    def __init__(self, name, part, model, settings, variables=None):
        super().__init__()
        if variables is None:
            model.optimizer.build(model.trainable_variables)
            variables = model.variables + model.optimizer.variables
        description = [describe(model), settings, sorted(synthetic_in_use)]
        digest = hashlib.sha256(json.dumps(description).encode()).hexdigest()[:8]
        self.folder = output_dir(f"{name}/checkpoints/{part}-{digest}")
        self.part, self.best = part, self.folder / "best.keras"
        self.variables, self.done, self.history = variables, 0, {}
        for path in self.saved():
            try:
                with np.load(path) as arrays:
                    values = [arrays[f"arr_{i}"] for i in range(len(variables))]
                    history = json.loads(str(arrays["history"]))
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                print(f"{path} 读不出来，改名留着，用前一次存的")
                path.replace(path.with_suffix(".damaged"))
                continue
            for variable, value in zip(variables, values):
                variable.assign(value)
            self.done, self.history = int(path.stem), history
            print(f"接着上次的训练，已经训练过 {self.done} 轮（步）；", end="")
            print(f"想从头训练，就删掉 {self.folder}")
            break

    def saved(self):
        """存过的文件，最近的在最前面；别的进程写到一半的以点开头，不算"""
        return sorted(self.folder.glob("[0-9]*.npz"), key=lambda p: -int(p.stem))

    def save(self, count):
        """存下第 count 轮（步）之后的变量和 self.history"""
        values = [np.asarray(variable) for variable in self.variables]
        if not all(np.isfinite(v).all() for v in values if v.dtype.kind == "f"):
            raise Fault(
                f"第 {count} 轮（步）权重成了 NaN 或无穷大，训练发散了，这一轮没有存："
                f"把学习率调小再运行；没有改过设置，就删掉 {self.folder} 再试"
            )
        with complete_file(self.folder / f"{count}.npz") as temporary:
            np.savez(temporary, *values, history=json.dumps(self.history))
        for path in self.saved()[2:]:
            path.unlink(missing_ok=True)

    def on_train_begin(self, logs=None):
        self.start = self.last = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        now = time.monotonic()
        logs, self.last = {**logs, "seconds": now - self.last}, now
        for key, value in logs.items():
            self.history.setdefault(key, []).append(float(value))
        losses = self.history.get("val_loss", [])
        if losses and losses[-1] <= min(losses):
            with complete_file(self.best) as temporary:
                self.model.save(temporary)
        self.save(epoch + 1)
        epochs = self.params["epochs"]
        left = (epochs - epoch - 1) * (now - self.start) / (epoch + 1 - self.done)
        if left and (epoch == self.done or (epoch + 1) % 10 == 0):
            print(f"第 {epoch + 1} 轮结束，还要约 {left / 60:.1f} 分钟", flush=True)


def describe(model):
    """网络和编译设置的说明，只由读者写下的设置决定

    层的名字（同一个进程里建第二次就变）和没有设的选项（Keras 升级会添新的）都不算
    """
    return json.loads(
        re.sub(r'_\d+"', '"', model.to_json()),  # conv2d_4 和 conv2d 是同一层
        object_hook=lambda d: {k: v for k, v in d.items() if v and k != "name"},
    )


def bfloat16_is_faster():
    """卷积的前向和反向计算，用 bfloat16 是否比 float32 快到 1.3 倍以上；5.2、8.5 节用

    轮流试算，共一秒左右；是实测，不是查型号，所以各种系统、各种设备都适用
    """

    @tf.function
    def gradient(images, kernel):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            loss = tf.reduce_sum(tf.nn.conv2d(images, kernel, 1, "VALID"))
        return tape.gradient(loss, kernel)

    def seconds(dtype):
        images = tf.ones((16, 72, 72, 32), dtype)
        kernel = tf.ones((3, 3, 32, 64), dtype)
        start = time.perf_counter()
        gradient(images, kernel)[0, 0, 0, 0].numpy()  # 取出结果，才算真的算完
        return time.perf_counter() - start

    try:
        pairs = [(seconds("float32"), seconds("bfloat16")) for _ in range(12)]
    except tf.errors.OpError:  # 这种设备不支持 bfloat16 的卷积
        return False
    plain, half = np.min(pairs, axis=0)
    return bool(plain > 1.3 * half)
