from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Dense, Reshape, Conv2D, GlobalMaxPooling2D, InputLayer
from tensorflow.keras.optimizers import SGD

model = Sequential([
    InputLayer(input_shape=(784,)),
    Reshape((28, 28, 1)),
    Conv2D(24, 5, strides=2, activation='relu'),
    Conv2D(36, 3, strides=2, activation='elu'),
    GlobalMaxPooling2D(),
    Dense(10, activation='softmax'),
])
sgd = SGD(learning_rate=0.1, momentum=0.5, clipvalue=1.0)
model.compile(loss='categorical_crossentropy', optimizer=sgd)
