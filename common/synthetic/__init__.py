"""合成数据：真实数据拿不到时的替身，一个数据集一个文件，形状、类型、大小和真实的一样

不是噪声：每一节的道理在上面都看得到（由 tests/ 里的测试保证），但数字不是书中的数字
"""

from common.synthetic.digits import make_mnist
from common.synthetic.frogs import make_frogs
from common.synthetic.houses import make_boston
from common.synthetic.photos import make_cats_dogs
from common.synthetic.reviews import make_imdb, make_reuters, make_word_index
from common.synthetic.weather import JENA_COLUMNS, make_jena

__all__ = [
    "JENA_COLUMNS",
    "make_boston",
    "make_cats_dogs",
    "make_frogs",
    "make_imdb",
    "make_jena",
    "make_mnist",
    "make_reuters",
    "make_word_index",
]
