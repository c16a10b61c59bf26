"""6.1.1 单词和字符的 one-hot 编码

任务：把文本变成神经网络能接收的张量；这是最简单的做法，每个单词或字符占一维
数据：书中的两句话，不用下载
做法：手写单词级和字符级的 one-hot 编码，用 Keras 的层编码，散列技巧
结果：按空格分出 10 个不同的标记；Keras 转成小写，The 就是 the，是 9 个；都和书中一样
开销：2 核、没有 GPU 的电脑上 3 秒，内存 0.7 GB
运行：python 6_1_one_hot.py
产出：output/6_1_one_hot/ 里的图
标着（书外）的单元格是书里没有的补充，可以跳过
"""

import string
import subprocess
import sys

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.plotting import save_figure
from common.results import print_comparison

import matplotlib.pyplot as plt
import numpy as np
from keras import layers

# %% 超参数：想做实验，只改这几行
MAX_LENGTH = 10  # 每句只看前 10 个单词
MAX_CHARACTERS = 50  # 每句只看前 50 个字符
NUM_WORDS = 1000  # Keras 的词表最多 1000 项，其中两项是填充和未知词
DIMENSIONALITY = 1000  # 散列到多少维

# %% 单词级：分词，每个不同的标记（token）给一个编号，从 1 起，0 留着不用
samples = ["The cat sat on the mat.", "The dog ate my homework."]
token_index = {}
for sample in samples:
    for word in sample.split():  # 只按空格分，所以 mat. 带着句号，The 和 the 是两个词
        if word not in token_index:
            token_index[word] = len(token_index) + 1

print(f"{len(token_index)} 个标记：", token_index)

# 第三维是最大的编号加 1：编号从 1 起，0 也占一列，这一列始终是 0
results = np.zeros((len(samples), MAX_LENGTH, max(token_index.values()) + 1))
for i, sample in enumerate(samples):
    for j, word in list(enumerate(sample.split()))[:MAX_LENGTH]:
        index = token_index.get(word)
        results[i, j, index] = 1.0  # 第 i 句的第 j 个词，只有它的那一维是 1

print("单词级 one-hot 编码：", results.shape)  # (2, 10, 11)，句子、位置、编号

# %% 字符级：字符一共只有 100 个，词再多维数也不变，但是一句话长得多
characters = string.printable  # 数字、字母、标点和空白
# 书上印的是 {编号: 字符}，写反了，后面有一个单元格讲会怎么样
character_index = dict(zip(characters, range(1, len(characters) + 1)))
character_results = np.zeros((len(samples), MAX_CHARACTERS, len(characters) + 1))
for i, sample in enumerate(samples):
    for j, character in enumerate(sample[:MAX_CHARACTERS]):
        index = character_index.get(character)
        character_results[i, j, index] = 1.0

print("字符级 one-hot 编码：", character_results.shape)  # (2, 50, 101)

# %% 用 Keras 编码：书中的 Tokenizer 没有了，换成 TextVectorization 层
# 它先转成小写、去掉标点，再按空格分词，所以 mat. 成了 mat，The 成了 the
vectorizer = layers.TextVectorization(max_tokens=NUM_WORDS)
vectorizer.adapt(samples)  # 建立词表，书中是 tokenizer.fit_on_texts
# 书中是 tokenizer.texts_to_sequences；这里第二句少一个词，后面补 0，成了 (2, 6)
sequences = vectorizer(samples).numpy()  # 层返回 TensorFlow 的张量，换成 NumPy 数组
print("每句话变成一串编号：", sequences.tolist())
# 词表里是 NumPy 的字符串，打印出来是 np.str_('the')，换成普通的 str
vocabulary = [str(word) for word in vectorizer.get_vocabulary()]
# 编号 0 是填充，1 是未知词，都不是词
word_index = {word: i for i, word in enumerate(vocabulary) if i > 1}
print(f"找到 {len(word_index)} 个标记：", word_index)

# 书中的 texts_to_matrix(mode="binary")：出现过的词，它的那一列是 1，词序丢掉了
# 这里不用填充，没有 0 号，所以列号比 word_index 里的编号小 1
binarizer = layers.TextVectorization(
    vocabulary=list(word_index),  # 用上面的词表
    max_tokens=NUM_WORDS,
    output_mode="multi_hot",
    pad_to_max_tokens=True,  # 补到 1000 列，不然只有 10 列：9 个词和 1 个未知词
)
one_hot_results = binarizer(samples).numpy()
print("Keras 的 multi-hot 编码：", one_hot_results.shape)  # (2, 1000)

# %% 散列技巧：不建词表，用散列函数直接把单词变成编号，省内存，也能边读边编码
# 缺点是散列冲突：两个词可能得到同一个编号，后面有一个单元格数一数
hash_results = np.zeros((len(samples), MAX_LENGTH, DIMENSIONALITY))
for i, sample in enumerate(samples):
    for j, word in list(enumerate(sample.split()))[:MAX_LENGTH]:
        # hash 得到一个很大的整数，可能是负的；除以 1000 取余数，就落在 0 到 999
        index = abs(hash(word)) % DIMENSIONALITY
        hash_results[i, j, index] = 1.0

print("散列编码：", hash_results.shape)  # (2, 10, 1000)

# %% （书外）书上的字典写反了：字符查不到，得到 None，整行都成了 1，却不报错
reversed_index = dict(zip(range(1, len(characters) + 1), characters))
index = reversed_index.get("T")
row = np.zeros(len(characters) + 1)
row[index] = 1.0  # NumPy 把 None 当作「添一个轴」，选中的是整行
print(f"在写反的字典里查 T，得到 {index}，这一行有 {row.sum():.0f} 个 1")

# %% （书外）旧代码从 Tokenizer 换成 TextVectorization，有四处不同
# 1. 编号 0 是填充，1 是不认识的词，词从 2 起；Tokenizer 从 1 起，不认识的词跳过
# 2. 出现次数相同的词，先后和 Tokenizer 的不同，所以用旧编号训练的模型不能接着用
# 3. 撇号也去掉，didn't 成了 didnt；Tokenizer 留着撇号
# 4. 短的句子在后面补 0；书中用的 pad_sequences 补在前面，对 6.2 节的 RNN 差别很大
new_text = "The cat didn't eat my homework."
# didnt 和 eat 不在词表里，都变成 1
print(f"{new_text} →", vectorizer([new_text]).numpy()[0].tolist())

# %% （书外）hash() 每次启动 Python 都不一样：今天训练的模型，明天就认不出词了
code = f"print(abs(hash('cat')) % {DIMENSIONALITY})"
hashes = []
for _ in range(3):
    # 另外启动一个 Python，执行 code 里的那一句，run.stdout 是它打印的内容
    run = subprocess.run([sys.executable, "-c", code], capture_output=True)
    hashes.append(int(run.stdout))

print("启动三次 Python，cat 的编号分别是：", hashes)
hashing = layers.Hashing(DIMENSIONALITY)  # 用固定的散列函数，每次都一样
print("Hashing 层，cat、sat、猫的编号：", hashing(["cat", "sat", "猫"]).numpy())

# %% （书外）散列冲突：不同的词得到同一个编号，网络就分不清；维数远大于词数才少见
thousand_words = [f"word{i}" for i in range(1000)]
for bins in (1_000, 10_000, 100_000):
    distinct = len(np.unique(layers.Hashing(bins)(thousand_words)))
    print(f"1000 个不同的词散列到 {bins} 维，得到 {distinct} 个不同的编号")

# %% （书外）换一个参数，就得到书中 6.1 节开头讲的二元语法（2-gram），或者一个字一个标记
bigrams = layers.TextVectorization(ngrams=2)
bigrams.adapt(samples[:1])
print("一个词或者相邻的两个词：", [str(g) for g in bigrams.get_vocabulary()[2:]])
# 中文的词之间没有空格，一个字一个标记最省事
chinese = layers.TextVectorization(split="character")
chinese.adapt(["我喜欢这部电影"])
print("我喜欢电影 →", chinese(["我喜欢电影"]).numpy()[0].tolist())

# %% （书外）看一眼第一句话：每个单词或字符一行，只有一格是黑的；句子后面的空行全是 0
_, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for axis, matrix, title in zip(
    axes, [results[0], character_results[0]], ["Words", "Characters"]
):
    axis.imshow(matrix, cmap="gray_r", aspect="auto", interpolation="none")
    axis.set_title(f"{title}, one-hot {matrix.shape}")
    axis.set_xlabel("Index")
    axis.set_ylabel("Position")

save_figure("6_1_one_hot", "one_hot")

# %% 书中的结果和本次的结果
print_comparison(
    [
        ("按空格分出的标记", "10", len(token_index)),
        ("单词级编码的形状", "(2, 10, 11)", results.shape),
        ("字符级编码的形状", "(2, 50, 101)", character_results.shape),
        ("Keras 找到的标记", "9", len(word_index)),
        ("Keras 编码的形状", "(2, 1000)", one_hot_results.shape),
        ("散列编码的形状", "(2, 10, 1000)", hash_results.shape),
    ]
)
plt.show()  # 放在最后，弹出窗口时前面的都已经做完
