"""2.1 初识神经网络：手写数字分类

任务：看一张 28x28 的灰度图，认出它是 0 到 9 中的哪个数字
数据：MNIST，训练 60 000 张，测试 10 000 张
网络：Dense(512) → Dense(10) softmax，共 407 050 个参数
结果：测试精度 0.9785（书中） → 0.9796（实测）
开销：2 核 CPU 约 14 秒，内存 1.2 GB；首次运行下载 11.5 MB
运行：python 2_1_mnist.py
产出：output/2_1_mnist/ 里的图、训练历史和模型
"""

from common.datasets import load_mnist
from common.output import print_comparison, save_history, save_model
from common.plotting import label, plot_images, show_figures
from common.settings import check_settings

import keras
import numpy as np
from keras import layers
from keras.utils import to_categorical

# %% 超参数：想做实验，只改这几行
EPOCHS = 5  # 每一轮都把 60 000 张图看一遍
BATCH_SIZE = 128  # 每看 128 张图更新一次权重（网络要学的那些数），叫一步，一轮 469 步
SEED = 0  # 随机种子，换一个数，测试精度相差可达 0.004

check_settings(globals())  # 常量设错了，现在就停下
keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 加载数据：图像是取值 0 到 255 的 NumPy 数组，标签是 0 到 9 的整数
(train_images, train_labels), (test_images, test_labels) = load_mnist()
print("训练图像", train_images.shape, train_images.dtype)  # (60000, 28, 28) uint8
print("训练标签", len(train_labels), "个：", train_labels)
print("测试图像", test_images.shape, test_images.dtype)  # (10000, 28, 28) uint8
print("测试标签", len(test_labels), "个：", test_labels)

# %% （书外）看一眼数据：前 10 张训练图像和它们的标签
# 存成 output/2_1_mnist/samples.png，训练全部结束之后才弹出窗口
plot_images(train_images[:10], train_labels[:10], "2_1_mnist", "samples")

# %% 网络架构：每个密集连接层从输入中提取表示，一层接一层，像一串筛子
network = keras.Sequential(
    [
        keras.Input(shape=(28 * 28,)),
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
    # 只为快：每 469 步（正好一轮）才回到 Python 一次，不足时自动截短，结果逐位相同
    # 加上评估一次算完，这一节的时间约为书中做法的一半
    steps_per_execution=469,
)

# %% 准备图像：网络要的是一行一个样本，取值在 [0, 1] 之间
# 一格一格地运行时，这一格和下一格只能运行一次，再运行就又除了一次 255
train_images = train_images.reshape((len(train_images), 28 * 28))  # (60000, 784)
train_images = train_images.astype("float32") / 255
test_images = test_images.reshape((len(test_images), 28 * 28))  # (10000, 784)
test_images = test_images.astype("float32") / 255

# %% 准备标签：one-hot 编码（书中这里叫分类编码），3 变成下标 3 处为 1、其余为 0 的一行
train_labels = to_categorical(train_labels)  # (60000, 10)
test_labels = to_categorical(test_labels)  # (10000, 10)

# %% 训练：损失一轮比一轮低，精度一轮比一轮高
# verbose=2 每轮只打印两行，默认的进度条在 PyCharm 里会刷屏
history = network.fit(
    train_images, train_labels, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=2
)

# %% 在测试集上评估：测试精度比训练精度低一些，即过拟合：在新数据上不如在训练数据上好
# 评估不更新权重，批量大小不影响结果，所以一次算完
test_loss, test_acc = network.evaluate(
    test_images, test_labels, batch_size=len(test_images), verbose=0
)
print(f"训练精度 {history.history['accuracy'][-1]:.4f}，测试精度 {test_acc:.4f}")

# %% （书外）认错的数字：有些连人也拿不准
predictions = network.predict(test_images, batch_size=len(test_images), verbose=0)
predicted = predictions.argmax(axis=1)  # (10000, 10) → (10000,)，概率最大的那一列
answers = test_labels.argmax(axis=1)  # 从 one-hot 编码变回整数
wrong = np.flatnonzero(predicted != answers)
wrong = wrong[np.argsort(-predictions[wrong].max(axis=1))]  # 认错了却最有把握的在前
print(f"{len(answers)} 张中认错 {len(wrong)} 张，wrong.png 中是网络最有把握的 20 张")
# label(中文, 英文)：没有装中文字体时，图上改用英文
titles = [
    label(
        f"{answers[i]} 认成 {predicted[i]}，{predictions[i].max():.0%}",
        f"{answers[i]} as {predicted[i]}, {predictions[i].max():.0%}",
    )
    for i in wrong[:20]
]
plot_images(test_images[wrong[:20]].reshape(-1, 28, 28), titles, "2_1_mnist", "wrong")

# %% （书外）保存模型，读回来认一个数字，以后就这样用它
model_path = save_model(network, "2_1_mnist")
save_history(history, "2_1_mnist")
reloaded = keras.models.load_model(model_path)
digit = test_images[:1]  # (1, 784)，只有一张图，也要写成一行一个样本
probabilities = reloaded.predict(digit, verbose=0)[0]  # (10,)
print(f"第一张测试图像是 {probabilities.argmax()}，把握 {probabilities.max():.2%}")
print(f"正确答案是 {answers[0]}；模型已保存到 {model_path}")

# %% 书中的结果和本次的结果
print_comparison(
    [
        ("训练精度", "0.989", f"{history.history['accuracy'][-1]:.4f}"),
        ("测试精度", "0.9785", f"{test_acc:.4f}"),
    ]
)
show_figures()  # 放在最后，弹出的窗口不会打断训练
