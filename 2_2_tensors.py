"""2.2 神经网络的数据表示，2.3 神经网络的「齿轮」：张量运算

任务：认识张量：轴、形状、切片、批量；再把密集连接层拆成张量运算，用循环做出来
数据：MNIST，训练 60 000 张，测试 10 000 张，还有书中随手写的小数组
网络：一个 Dense(32)，不训练，只验证它算的是 relu(dot(input, W) + b)
结果：循环的结果和 NumPy 相等，时间是 NumPy 的几百到一万倍；视频张量 405 MB，和书中一样
开销：2 核、没有 GPU 的电脑上 4 秒，内存 0.8 GB；首次运行下载 11.5 MB
运行：python 2_2_tensors.py
产出：output/2_2_tensors/ 里的图
2.3.5、2.3.6 节的几何解释，书中只有文字和图，这里没有代码
标着（书外）的单元格是书里没有的补充，可以跳过
"""

import timeit

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_mnist
from common.plotting import plot_images, save_figure
from common.results import print_comparison

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

# %% 超参数：想做实验，只改这几行
BATCH_SIZE = 128  # 一个批量有多少张图，和书中一样
UNITS = 32  # 密集连接层的单元个数；书中是 512，用循环要算 10 秒
SEED = 0  # 随机种子

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 2.2.1 到 2.2.4：标量、向量、矩阵、3D 张量，轴的个数从 0 到 3
scalar = np.array(12)
vector = np.array([12, 3, 6, 14, 7])  # 5D 向量有 5 个数，5D 张量有 5 个轴
matrix = np.array([[5, 78, 2, 34, 0], [6, 79, 3, 35, 1], [7, 80, 4, 36, 2]])
cube = np.array([matrix, matrix, matrix])
for x in (scalar, vector, matrix, cube):
    print("轴的个数", x.ndim, "形状", x.shape)

# %% 2.2.5 关键属性：轴的个数（也叫阶）、形状、数据类型
(train_images, train_labels), (test_images, test_labels) = load_mnist()
print("轴的个数", train_images.ndim)  # 3
print("形状", train_images.shape)  # (60000, 28, 28)，60 000 个 28x28 的矩阵
# uint8 是 0 到 255 的整数，超过 255 就从 0 重新数起：200 + 100 得到 44，也不报错
print("数据类型", train_images.dtype)

# %% 画出一张图：书中说是第 4 个数字，但下标从 0 数起，[4] 是第 5 个
digit = train_images[4]  # (28, 28)
print("它的标签：", train_labels[4])  # 9
plt.figure()
plt.imshow(digit, cmap=plt.cm.binary)
save_figure("2_2_tensors", "digit")

# %% 2.2.6 在 Numpy 中操作张量：三种写法选出的都是下标 10 到 99 的图，不含 100
# 切片没有复制数据：改 my_slice，train_images 也跟着变，要互不影响就加上 .copy()
my_slice = train_images[10:100]
print(my_slice.shape)  # (90, 28, 28)
print(train_images[10:100, :, :].shape, train_images[10:100, 0:28, 0:28].shape)
# 前一个只留右下角；后一个去掉四边各 7 个像素，留下正中间，-7 从末尾数起
# 形状都是 (60000, 14, 14)
print(train_images[:, 14:, 14:].shape, train_images[:, 7:-7, 7:-7].shape)

# %% 2.2.7 数据批量：第一个轴是样本轴，训练时每次只取一段；批量的第一个轴也叫批量轴
batch = train_images[:BATCH_SIZE]  # (128, 28, 28)
batch = train_images[BATCH_SIZE : 2 * BATCH_SIZE]  # 下一个批量
n = 3
batch = train_images[BATCH_SIZE * n : BATCH_SIZE * (n + 1)]  # 第 n 个批量，n 从 0 数起

# %% 2.2.8 到 2.2.12 现实世界中的数据张量：知道形状，就知道要占多少内存
# 向量数据（样本，特征）：10 万人的年龄、邮编、收入；500 篇文档中 2 万个词的词频
# 时间序列（样本，时间步，特征）：250 天、每天 390 分钟的 3 种股价；one-hot 编码的推文
shapes = [(100_000, 3), (500, 20_000), (250, 390, 3), (1_000_000, 280, 128)]
# 图像（样本，高，宽，通道）：灰度图像 1 个通道，彩色图像 3 个
# 视频（样本，帧，高，宽，通道）：4 段，每段 240 帧
shapes += [(128, 256, 256, 1), (128, 256, 256, 3), (4, 240, 144, 256, 3)]
for shape in [train_images.shape, *shapes]:
    # 1 MB 是 2**20 字节；uint8 一个数占 1 字节，float32 占 4，float64 占 8
    mb = np.prod(shape, dtype="int64") / 2**20  # 推文有 358 亿个数，int32 装不下
    print(f"{shape}：uint8 {mb:.1f} MB，float32 {mb * 4:.1f}，float64 {mb * 8:.1f}")


# %% 2.3.1 逐元素运算：NumPy 的加法和 maximum，用循环写出来是这样
# 书中每个函数先检查形状，这里写成注释
def naive_relu(x):  # x 是 2D 张量
    x = x.copy()  # 不改动传进来的张量
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] = max(x[i, j], 0)
    return x


def naive_add(x, y):  # x 和 y 是形状相同的 2D 张量
    x = x.copy()
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += y[i, j]
    return x


x, y = np.random.normal(size=(2, 20, 100))  # 两个 (20, 100) 的张量，有正有负
z = x + y  # 逐元素的加法
z = np.maximum(z, 0.0)  # 逐元素的 relu


# %% 2.3.2 广播：较小的张量先添加轴，再沿着新轴重复，好和较大的对齐；并不真的复制
# 例如 (32, 10) 加 (10,)：后者先变成 (1, 10)，再重复 32 遍，变成 (32, 10)
def naive_add_matrix_and_vector(x, y):  # x 是 2D 张量，y 是向量，长度等于 x 的列数
    x = x.copy()
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += y[j]
    return x


x = np.random.random((64, 3, 32, 10))
y = np.random.random((32, 10))
z = np.maximum(x, y)
print("广播之后", z.shape)  # (64, 3, 32, 10)，和 x 相同


# %% 2.3.3 张量点积：对应的数相乘，再加起来
def naive_vector_dot(x, y):  # 两个长度相同的向量，得到一个数
    z = 0.0
    for i in range(x.shape[0]):
        z += x[i] * y[i]
    return z


def naive_matrix_vector_dot(x, y):  # 矩阵 x 的列数等于向量 y 的长度，得到向量
    z = np.zeros(x.shape[0])
    for i in range(x.shape[0]):
        z[i] = naive_vector_dot(x[i, :], y)  # 书中还有一种写法，把这里展开成两层循环
    return z


def naive_matrix_dot(x, y):  # x 的列数等于 y 的行数，得到矩阵
    z = np.zeros((x.shape[0], y.shape[1]))
    for i in range(x.shape[0]):
        for j in range(y.shape[1]):
            row_x = x[i, :]
            column_y = y[:, j]
            z[i, j] = naive_vector_dot(row_x, column_y)
    return z


# y 不超过 2 个轴时，x 的最后一个轴和 y 的第一个轴要一样长，点积之后都没有了
# x 和 y 不能对调：形状可能对不上，就算对得上，结果一般也不同
# 点积也写作 x @ y；x * y 却是逐元素的乘法，写错了不一定报错
x, y = np.ones((2, 3, 4, 5)), np.ones((5, 6))
print("(a, b, c, d) . (d,) →", np.dot(x, y[:, 0]).shape)  # (2, 3, 4)
print("(a, b, c, d) . (d, e) →", np.dot(x, y).shape)  # (2, 3, 4, 6)

# %% 2.3.4 张量变形：reshape 不改变数的先后次序，只是重新分成行和列
x_train = train_images.reshape((-1, 28 * 28))  # (60000, 784)
x = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])  # (3, 2)
print(x.reshape((6, 1)))
print(x.reshape((2, 3)))
x = np.transpose(np.zeros((300, 20)))  # 转置把行和列互换，数的次序就变了
print("转置", x.shape)  # (20, 300)

# %% （书外）一个密集连接层就是这几种运算：NumPy 和 Keras 的结果只差舍入误差
inputs = x_train[:BATCH_SIZE].astype("float32") / 255  # (128, 784)
layer = layers.Dense(UNITS, activation="relu")
keras_output = layer(inputs).numpy()  # (128, 32)
W, bias = layer.get_weights()  # (784, 32)，随机的；(32,)，全是 0
# 书中写 dot(W, input)，Keras 算的是 dot(input, W)，因为样本是按行排列的
output = np.maximum(np.dot(inputs, W) + bias, 0.0)
print(f"NumPy 和 Keras 最多相差 {np.abs(output - keras_output).max():.1e}")

# %% （书外）循环和 NumPy 的结果相等，快慢却差几百到一万倍；所以写张量运算，不写循环
# Python 的循环每一步都要解释执行，NumPy 的循环在编译好的程序里（点积用的是 BLAS）
pairs = [
    ("relu", naive_relu, lambda x: np.maximum(x, 0.0), [inputs - 0.5]),  # 有正有负
    ("加法", naive_add, np.add, [inputs, inputs]),
    ("广播", naive_add_matrix_and_vector, np.add, [inputs, inputs[0]]),
    ("向量的点积", naive_vector_dot, np.dot, [inputs[0], inputs[1]]),
    ("矩阵和向量的点积", naive_matrix_vector_dot, np.dot, [inputs, inputs[0]]),
    ("矩阵的点积", naive_matrix_dot, np.dot, [inputs, W]),
]
for name, naive, vectorized, tensors in pairs:
    same = np.allclose(naive(*tensors), vectorized(*tensors), atol=1e-5)
    slow = timeit.timeit("naive(*tensors)", globals=globals(), number=1)
    # NumPy 太快，一次测不准：连做 20 次取平均，这样测 5 遍，取最快的一遍
    fast = min(timeit.repeat("vectorized(*tensors)", globals=globals(), number=20)) / 20
    print(f"{name}：相等 {same}，循环的时间是 NumPy 的 {slow / fast:.0f} 倍")

# %% （书外）形状不合，NumPy 会报错：点积的报错里，!= 两边就是对不上的两个数
# 后两个只写出形状，要自己比：广播从最后一个轴比起，变形比的是总共有多少个数
for code in ("np.dot(W, inputs)", "inputs + inputs[:, 0]", "digit.reshape((28, 29))"):
    try:
        eval(code)  # 把引号里的文字当作代码运行
    except ValueError as error:
        print(f"{code}\n    {error}")

# %% （书外）把样本轴换到最后：transpose 是对的，reshape 得到同样的形状，图却散了
# transpose(1, 2, 0)：新的三个轴依次是原来的 1、2、0 轴，形状是 (28, 28, 5)
# digit.T 是 digit 的转置，行和列互换，图就沿对角线翻了过来
transposed = train_images[:5].transpose(1, 2, 0)[:, :, 4]  # 最后一个轴上的第 5 张
reshaped = train_images[:5].reshape(28, 28, 5)[:, :, 4]
titles = ["train_images[4]", "digit.T", "transpose(1, 2, 0)", "reshape(28, 28, 5)"]
pictures = [digit, digit.T, transposed, reshaped]
plot_images(pictures, titles, "2_2_tensors", "transpose", columns=4)

# %% 书中的结果和本次的结果
print_comparison(
    [
        ("训练图像的形状", "(60000, 28, 28)", train_images.shape),
        ("切片 [10:100] 的形状", "(90, 28, 28)", my_slice.shape),
        ("视频张量用 float32", "405 MB", f"{np.prod(shapes[-1]) * 4 / 2**20:.0f} MB"),
        ("展平的训练图像", "(60000, 784)", x_train.shape),
    ]
)
plt.show()  # 放在最后，图的窗口一起弹出
