"""scikit-learn: fit and predict, and the model that is kept between the two."""

import os
import pickle
import sys

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

data = load_iris()
if sys.argv[1] == "fit":
    with open("model", "wb") as file:
        pickle.dump(LogisticRegression(max_iter=1000).fit(data.data, data.target), file)
else:
    with open("model", "rb") as file:
        print("right answers of 150:", int((pickle.load(file).predict(data.data) == data.target).sum()))
