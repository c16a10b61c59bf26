"""2.1 初识神经网络：手写数字分类

任务：看一张 28x28 的灰度图，认出它是 0 到 9 中的哪个数字
数据：MNIST，训练 60 000 张，测试 10 000 张
网络：Dense(512) → Dense(10) softmax，共 407 050 个参数
结果：测试精度 0.9785（书中） → 0.9794（实测）
开销：2 核、没有 GPU 的电脑上 13 秒，内存 1.3 GB；首次运行下载 11.5 MB
运行：python 2_1_mnist.py
产出：output/2_1_mnist/ 里的图和模型
标着（书外）的单元格是书里没有的补充，可以跳过
"""

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_mnist
from common.plotting import plot_images
from common.results import print_comparison, save_model

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from keras.utils import to_categorical

# %% 超参数：想做实验，只改这几行
EPOCHS = 5  # 每一轮都把 60 000 张图看一遍
BATCH_SIZE = 128  # 每看 128 张图更新一次权重（网络要学的那些数），叫一步，一轮 469 步
SEED = 0  # 随机种子，换一个数，测试精度相差可达 0.005

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 加载数据：图像是取值 0 到 255 的 NumPy 数组，标签是 0 到 9 的整数
# load_mnist() 返回的和书中的 mnist.load_data() 一样，只是下载不了时改用合成数据
(train_images, train_labels), (test_images, test_labels) = load_mnist()
print("训练图像", train_images.shape, train_images.dtype)  # (60000, 28, 28) uint8
print("训练标签", len(train_labels), "个：", train_labels)
print("测试图像", test_images.shape, test_images.dtype)  # (10000, 28, 28) uint8
print("测试标签", len(test_labels), "个：", test_labels)

# %% 网络架构：每个密集连接层从输入中提取表示，一层接一层，像一串筛子
network = keras.Sequential(
    [
        keras.Input(shape=(28 * 28,)),  # 书中写成第一层的参数 input_shape
        layers.Dense(512, activation="relu"),
        layers.Dense(10, activation="softmax"),  # 10 个概率，加起来等于 1
    ]
)
network.summary()

# %% 编译：损失函数衡量错了多少，优化器据此更新权重，指标只给人看
network.compile(
    optimizer="rmsprop",
    loss="categorical_crossentropy",
    metrics=["accuracy"],
    steps_per_execution=469,  # 一轮的 469 步连着算完，省四分之一的时间，结果不变
)

# %% 准备图像：网络要的是一行一个样本，取值在 [0, 1] 之间；-1 是让 NumPy 自己算有多少行
# 书中把结果存回 train_images；这里另起名字，这一格才能重复运行，下面的标签也一样
x_train = train_images.reshape((-1, 28 * 28)).astype("float32") / 255  # (60000, 784)
x_test = test_images.reshape((-1, 28 * 28)).astype("float32") / 255  # (10000, 784)

# %% 准备标签：one-hot 编码（书中这里叫分类编码），3 变成下标 3 处为 1、其余为 0 的一行
y_train = to_categorical(train_labels)  # (60000, 10)
y_test = to_categorical(test_labels)  # (10000, 10)

# %% 训练：损失一轮比一轮低，精度一轮比一轮高
# verbose=2 每轮只打印两行，默认的进度条在 PyCharm 里会刷屏
history = network.fit(
    x_train, y_train, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=2
)

# %% 在测试集上评估：测试精度比训练精度低一些，即过拟合：在新数据上不如在训练数据上好
test_loss, test_acc = network.evaluate(x_test, y_test, verbose=0)
print("测试精度：", test_acc)

# %% （书外）看一眼数据：前 10 张训练图像和它们的标签，存成 samples.png
# 图的窗口要等最后一行的 plt.show() 才一起弹出来
plot_images(train_images[:10], train_labels[:10], "2_1_mnist", "samples")

# %% （书外）认错的数字：有些连人也拿不准
predictions = network.predict(x_test, verbose=0)  # (10000, 10)
predicted = predictions.argmax(axis=1)  # (10000,)，概率最大的那一列
wrong = np.flatnonzero(predicted != test_labels)  # 认错的是哪几张
confidence = predictions[wrong].max(axis=1)  # 认错时有多大把握
worst = wrong[np.argsort(-confidence)][:20]  # 加负号就从大到小排，取前 20 张
print(f"{len(x_test)} 张中认错 {len(wrong)} 张，wrong.png 中是网络最有把握的 20 张")
titles = [f"true {test_labels[i]}, guess {predicted[i]}" for i in worst]
plot_images(test_images[worst], titles, "2_1_mnist", "wrong")

# %% （书外）保存模型，读回来认一个数字，以后就这样用它
model_path = save_model(network, "2_1_mnist")
reloaded = keras.models.load_model(model_path)
# 只有一张图，也要写成一行一个样本，(1, 784)
probabilities = reloaded.predict(x_test[:1], verbose=0)[0]  # (10,)
print(f"第一张测试图像是 {probabilities.argmax()}，把握 {probabilities.max():.2%}")

# %% 书中的结果和本次的结果
print_comparison(
    [
        ("训练精度", "0.989", f"{history.history['accuracy'][-1]:.4f}"),
        ("测试精度", "0.9785", f"{test_acc:.4f}"),
    ]
)
plt.show()  # 放在最后，弹出的窗口不会打断训练
