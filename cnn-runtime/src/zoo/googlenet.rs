//! GoogLeNet: Szegedy et al., "Going deeper with convolutions" (2015).

use crate::model;

model! {
    block conv(filters, kernel, stride = 1)(x) {
        x = Conv2D(filters, kernel, stride=stride, same, use_bias=false)(x);
        ReLU()(BatchNormalization()(x))
    }

    // The columns of the paper's table. As in PyTorch's collection, the last convolutions are 3×3 where the paper has 5×5.
    block inception(ones, threes_reduce, threes, fives_reduce, fives, pool)(x) {
        a = conv(ones, 1)(x);
        b = conv(threes, 3)(conv(threes_reduce, 1)(x));
        c = conv(fives, 3)(conv(fives_reduce, 1)(x));
        d = conv(pool, 1)(MaxPooling2D(3, stride=1, same)(x));
        Concatenate()([a, b, c, d])
    }

    /// Inception v1 with batch normalisation and without auxiliary classifiers, as PyTorch's collection has it.
    pub GoogLeNet {
        i = Input(224, 224, 3);
        x = conv(64, 7, stride=2)(i);
        x = MaxPooling2D(3, stride=2, same)(x);
        x = conv(64, 1)(x);
        x = conv(192, 3)(x);
        x = MaxPooling2D(3, stride=2, same)(x);
        x = inception(64, 96, 128, 16, 32, 32)(x);
        x = inception(128, 128, 192, 32, 96, 64)(x);
        x = MaxPooling2D(3, stride=2, same)(x);
        x = inception(192, 96, 208, 16, 48, 64)(x);
        x = inception(160, 112, 224, 24, 64, 64)(x);
        x = inception(128, 128, 256, 24, 64, 64)(x);
        x = inception(112, 144, 288, 32, 64, 64)(x);
        x = inception(256, 160, 320, 32, 128, 128)(x);
        x = MaxPooling2D(2, stride=2, same)(x);
        x = inception(256, 160, 320, 32, 128, 128)(x);
        x = inception(384, 192, 384, 48, 128, 128)(x);
        x = GlobalAveragePooling2D()(x);
        x = Dropout(0.2)(x);
        x = Dense(1000, softmax)(x);
    }
}
