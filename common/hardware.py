"""问一问处理器：用哪种数值类型计算更快；5.2、8.5 节用"""

import time

import tensorflow as tf


def bfloat16_is_faster():
    """卷积的前向和反向计算，用 bfloat16 是否明显比 float32 快

    返回：bool，快到 1.3 倍以上才是 True，免得两次运行一次是、一次不是
    两种类型轮流试算，共一秒左右；是实测不是查型号，所以各种系统、各种设备都适用
    """
    try:
        steps = {dtype: _convolution_step(dtype) for dtype in ("float32", "bfloat16")}
        seconds = {dtype: [] for dtype in steps}
        for _ in range(12):  # 轮流算，取各自最快的一次，别的程序一时占用处理器也不怕
            for dtype, step in steps.items():
                start = time.perf_counter()
                step().numpy()  # 取出结果，才算真的算完
                seconds[dtype].append(time.perf_counter() - start)
    except tf.errors.OpError:  # 这种设备不支持 bfloat16 的卷积
        return False
    return min(seconds["float32"]) > 1.3 * min(seconds["bfloat16"])


def _convolution_step(dtype):
    images = tf.ones((16, 72, 72, 32), dtype)
    kernel = tf.ones((3, 3, 32, 64), dtype)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            loss = tf.reduce_sum(tf.nn.conv2d(images, kernel, 1, "VALID"))
        return tf.add_n(
            [
                tf.reduce_sum(gradient)
                for gradient in tape.gradient(loss, [images, kernel])
            ]
        )

    return step
