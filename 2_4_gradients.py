"""2.4 神经网络的「引擎」：基于梯度的优化

任务：看清「训练」在做什么：求出损失对权重的梯度，逆着梯度走一小步，反复做
数据：一条抛物线、一段坑坑洼洼的山坡，再用 MNIST 手写数字，训练 60 000 张
网络：784 → 512 relu → 10 softmax，和 2.1 节一样，但只用 NumPy，反向传播也自己写
结果：测试精度 0.9785（书中 2.1 节，用 rmsprop） → 0.9783（实测，用带动量的 SGD）
    只训练一轮：0.9650；没有动量，学习率 0.001、0.1、10：0.602、0.921、0.098
开销：2 核、没有 GPU 的电脑上 11 秒，内存 1.1 GB；首次运行下载 11.5 MB
运行：python 2_4_gradients.py
产出：output/2_4_gradients/ 里的图
书中这一节只有文字和一段伪代码，这里用代码把每一步都算出来，最后是 2.5 节的回顾
标着（书外）的单元格是书里没有的补充，可以跳过
"""

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_mnist
from common.plotting import save_figure
from common.results import print_comparison

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras.utils import to_categorical

# %% 超参数：想做实验，只改这几行
STEPS = 80  # 在抛物线和山坡上走多少步
MOMENTUM = 0.9  # 动量，保留上一步速度的九成；书中是 0.1，冲不过下面的局部极小点
LEARNING_RATE = 0.1  # 训练网络的学习率，每一步走梯度的多少倍
EPOCHS = 5  # 每一轮都把 60 000 张图看一遍，和 2.1 节一样
# 每看 128 张图更新一次权重，叫小批量 SGD；每次 1 张叫真 SGD，每次全部叫批量 SGD
BATCH_SIZE = 128
SEED = 0  # 随机种子，换一个数，测试精度相差约 0.001

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较


# %% 2.4.1 什么是导数：x 增加一点点，f(x) 增加的是这一点点的多少倍
def f(x):
    return x**2


def derivative(x):
    return 2 * x  # 用求导公式得到的


epsilon = 1e-6  # 一点点
slope = (f(3 + epsilon) - f(3)) / epsilon  # 真的增加一点点，看斜率是多少
print(f"x = 3 处的斜率：试出来的 {slope:.6f}，公式算的 {derivative(3)}")
# 斜率是正的，所以 x 往小的方向走，f(x) 才变小
print(f"f(3) = {f(3)}，走一小步之后 {f(3 - 0.1 * derivative(3)):.2f}")

# %% 2.4.2 张量运算的导数：梯度，每个权重有一个导数，所以形状和权重相同
x = np.random.normal(size=(4, 3))  # 4 个样本，每个 3 个特征
y = np.random.normal(size=(4, 2))  # 目标
W = np.random.normal(size=(3, 2))


def loss_of(W):
    y_pred = np.dot(x, W)  # 书中写 dot(W, x)，样本按行排列时要反过来，(4, 2)
    return np.mean((y_pred - y) ** 2)  # 均方误差


# 求法一：6 个权重逐个增减一点点，每个都要算两遍损失
# 2.1 节的网络有 407 050 个权重，这样求就太慢了
numerical = np.zeros_like(W)
for i, j in np.ndindex(W.shape):  # 依次是 (0, 0)、(0, 1)、(1, 0)……
    change = np.zeros_like(W)
    change[i, j] = epsilon
    numerical[i, j] = (loss_of(W + change) - loss_of(W - change)) / (2 * epsilon)

# 求法二：用公式，损失对 y_pred 的导数，再乘以 y_pred 对 W 的导数，也就是 x
# 损失是 8 个数的平均，所以除以 y.size；(3, 4) 和 (4, 2) 的点积把 4 个样本的加了起来
gradient = np.dot(x.T, 2 * (np.dot(x, W) - y) / y.size)  # (3, 2)
# 求法三：GradientTape 像磁带一样记下做过的运算，再倒着求导，Keras 就是这样训练的
variable = tf.Variable(W)
with tf.GradientTape() as tape:
    loss_value = tf.reduce_mean((tf.matmul(x, variable) - y) ** 2)

taped = tape.gradient(loss_value, variable).numpy()
difference = np.max([abs(numerical - gradient), abs(taped - gradient)])
print(f"三种求法得到的梯度，最多相差 {difference:.1e}：\n{gradient}")
for step in (0, 0.01, 0.1, 1):  # W1 = W0 - step * gradient，走得太远，损失反而变大
    print(f"W 逆着梯度走 {step} 倍，损失是 {loss_of(W - step * gradient):.3f}")

# %% 2.4.3 随机梯度下降：先不随机，只看学习率：太小，还在半路；太大，越走越远
_, axes = plt.subplots(layout="constrained")
for learning_rate in (0.005, 0.1, 1.005):
    w, loss_values = 5.0, []
    for _ in range(STEPS):
        loss_values.append(f(w))
        w = w - learning_rate * derivative(w)
    axes.plot(loss_values, label=f"Learning rate {learning_rate}")

axes.set(title="Gradient descent on x * x", xlabel="Steps", ylabel="Loss")
axes.legend()
save_figure("2_4_gradients", "learning_rate")


# %% 动量：像小球滚下山坡，凭速度冲过局部极小点；没有动量，就停在局部极小点
def hills(w):
    return 0.1 * w**2 - 0.5 * np.cos(2 * w)  # 全局最小点是 w = 0，两边还有局部极小点


def hills_slope(w):
    return 0.2 * w + np.sin(2 * w)


# 书中的伪代码 velocity = past_velocity * momentum + learning_rate * gradient
# 印错了一个符号，加号应为减号，有的印次已经改正
# 照印错的写，动量超过 0.5 就往上坡走，0.1 也比不用动量慢
# 改成减号之后，梯度用了两次并没有错，那是 Keras 的 SGD(nesterov=True)
# 下面的 right 是最常用的写法，梯度只用一次
plain = right = printed = 4.5  # 三个小球从同一处出发
velocity, printed_velocity, learning_rate, paths = 0.0, 0.0, 0.05, []
for _ in range(STEPS):
    paths.append((plain, right, printed))
    plain = plain - learning_rate * hills_slope(plain)
    velocity = MOMENTUM * velocity - learning_rate * hills_slope(right)
    right = right + velocity
    step = learning_rate * hills_slope(printed)
    printed_velocity = printed_velocity * MOMENTUM + step
    printed = printed + MOMENTUM * printed_velocity - step

print(f"小球最后在：SGD {plain:.2f}，动量 {right:.2f}，书中印的 {printed:.0f}")
_, axes = plt.subplots(layout="constrained")
axes.plot(np.linspace(-4, 8, 200), hills(np.linspace(-4, 8, 200)), "gray")
for path, label in zip(np.transpose(paths), ["SGD", "Momentum", "As printed"]):
    axes.plot(path, hills(path), "o-", alpha=0.5, label=label)

axes.set(xlim=(-4, 8), ylim=(-1, 7), xlabel="Parameter value", ylabel="Loss")
axes.legend()
save_figure("2_4_gradients", "momentum")

# %% 2.4.4 链式求导：反向传播算法；先准备数据和网络，和 2.1 节一样
# 网络是一层套一层的函数，链式法则说：f(g(x)) 的导数等于 f'(g(x)) * g'(x)
(train_images, train_labels), (test_images, test_labels) = load_mnist()
x_train = train_images.reshape((-1, 28 * 28)).astype("float32") / 255  # (60000, 784)
x_test = test_images.reshape((-1, 28 * 28)).astype("float32") / 255  # (10000, 784)
# to_categorical 给出 float64，不转换的话，反向传播也都用 float64 算，时间要两倍多
y_train = to_categorical(train_labels).astype("float32")  # (60000, 10)


def new_weights():
    # 一开始是随机的小数，输入越多取得越小，加起来才不会太大
    W1 = np.random.normal(scale=(2 / 784) ** 0.5, size=(784, 512))
    W2 = np.random.normal(scale=(2 / 512) ** 0.5, size=(512, 10))
    return [w.astype("float32") for w in (W1, np.zeros(512), W2, np.zeros(10))]


# %% 前向传播：由输入算到预测，每一步都是 2.3 节的张量运算
def forward(x, weights):
    W1, b1, W2, b2 = weights
    hidden = np.maximum(np.dot(x, W1) + b1, 0.0)  # (128, 512)，relu
    scores = np.dot(hidden, W2) + b2  # (128, 10)
    # softmax：求 e 的 scores 次方，再除以每一行的和，得到 10 个概率
    # 先减去每一行最大的，结果不变，但不会溢出；keepdims 让形状是 (128, 1)，才能广播
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, exponents / exponents.sum(axis=1, keepdims=True)


def crossentropy(y, y_pred):
    # y 只在正确的数字处是 1，所以只看它的概率：概率越接近 1，损失越接近 0
    return -np.mean(np.log(np.sum(y * y_pred, axis=1) + 1e-7))  # 防止 log(0)


# %% 反向传播：从损失倒着算回去，每一层把后一层传来的导数乘以自己的导数
def backward(x, y, hidden, y_pred, weights):
    W1, b1, W2, b2 = weights
    d_scores = (y_pred - y) / len(x)  # 交叉熵和 softmax 合起来求导，正好这么简单
    d_W2 = np.dot(hidden.T, d_scores)  # (512, 10)，和 W2 的形状相同
    # relu 的导数：输出为 0 的地方是 0，其余是 1
    d_hidden = np.dot(d_scores, W2.T) * (hidden > 0)  # (128, 512)
    d_W1 = np.dot(x.T, d_hidden)  # (784, 512)
    # 偏置加在每个样本上，所以它的梯度是各个样本的和
    return [d_W1, d_hidden.sum(axis=0), d_W2, d_scores.sum(axis=0)]


# %% 训练循环：书中 2.4 节开头的四步，反复 2345 次；测试精度第一轮就超过 0.96
weights, losses, accuracies = new_weights(), [], []
velocities = [np.zeros_like(w) for w in weights]
for epoch in range(EPOCHS):
    order = np.random.permutation(len(x_train))  # 每一轮重新打乱，「随机」就是指这个
    for start in range(0, len(x_train), BATCH_SIZE):
        batch = order[start : start + BATCH_SIZE]
        x, y = x_train[batch], y_train[batch]  # 第一步，抽取一批数据
        hidden, y_pred = forward(x, weights)  # 第二步，前向传播，得到预测值
        losses.append(crossentropy(y, y_pred))  # 第三步，计算损失
        gradients = backward(x, y, hidden, y_pred, weights)  # 第四步，求梯度，更新权重
        for w, velocity, gradient in zip(weights, velocities, gradients):
            # [:] 和 += 都是就地修改，velocities 和 weights 里的数组才跟着变
            velocity[:] = MOMENTUM * velocity - LEARNING_RATE * gradient
            w += velocity
    test_pred = forward(x_test, weights)[1].argmax(axis=1)  # (10000,)
    accuracies.append(np.mean(test_pred == test_labels))
    print(f"第 {epoch + 1} 轮，测试精度 {accuracies[-1]:.4f}")

# %% 2.5 回顾第一个例子：5 轮，每轮 469 个批量，共更新 2345 次
batches = int(np.ceil(len(x_train) / BATCH_SIZE))  # 除不尽就进一，最后一批只有 96 张
print(f"{EPOCHS} 轮，每轮 {batches} 个批量，权重更新了 {len(losses)} 次")

# %% （书外）手写的反向传播对不对：用 TensorFlow 再写一遍前向传播，由它求导
W1, b1, W2, b2 = variables = [tf.Variable(w) for w in weights]
with tf.GradientTape() as tape:
    scores = tf.nn.relu(x @ W1 + b1) @ W2 + b2  # x 和 y 是最后一批
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, scores))

taped = tape.gradient(loss, variables)
gradients = backward(x, y, *forward(x, weights), weights)
network_difference = max(np.abs(t - g).max() for t, g in zip(taped, gradients))
print(f"手写的和 GradientTape 求的梯度，最多相差 {network_difference:.1e}")

# %% （书外）学习率在网络上也是这样：没有动量，各训练一轮，再和上面有动量的比较
# 学习率 10 跨得太远，relu 几乎全部输出 0，只有最后的偏置还有梯度，再也学不动
_, axes = plt.subplots(layout="constrained")
rate_accuracies = []
for learning_rate in (0.001, 0.1, 10):
    rate_weights, loss_values = new_weights(), []
    for start in range(0, len(x_train), BATCH_SIZE):
        x, y = x_train[start:][:BATCH_SIZE], y_train[start:][:BATCH_SIZE]
        hidden, y_pred = forward(x, rate_weights)
        loss_values.append(crossentropy(y, y_pred))
        gradients = backward(x, y, hidden, y_pred, rate_weights)
        for w, gradient in zip(rate_weights, gradients):
            w -= learning_rate * gradient
    test_pred = forward(x_test, rate_weights)[1].argmax(axis=1)
    rate_accuracies.append(np.mean(test_pred == test_labels))
    print(f"学习率 {learning_rate}，测试精度 {rate_accuracies[-1]:.4f}")
    axes.semilogy(loss_values, label=f"Learning rate {learning_rate}")

axes.semilogy(losses[:batches], label=f"{LEARNING_RATE}, momentum {MOMENTUM}")
axes.set(title="Training loss on MNIST", xlabel="Steps", ylabel="Loss")
axes.legend()
save_figure("2_4_gradients", "mnist")

# %% 书中的结果和本次的结果：次数出自 2.5 节；测试精度出自 2.1 节，用的是 rmsprop
print_comparison(
    [
        ("权重更新的次数", "2345", len(losses)),
        ("测试精度", "0.9785", f"{accuracies[-1]:.4f}"),
    ]
)
plt.show()  # 放在最后，弹出的窗口不会打断训练
