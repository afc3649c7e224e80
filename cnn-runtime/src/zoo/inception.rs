//! Inception-v3: Szegedy et al., "Rethinking the Inception architecture for computer vision" (2016).

use crate::model;

model! {
    block conv(filters, kernel, stride = 1, padding = same)(x) {
        x = Conv2D(filters, kernel, stride=stride, padding=padding, use_bias=false)(x);
        ReLU()(BatchNormalization(scale=false)(x))
    }

    block pooled(filters)(x) {
        conv(filters, 1)(AveragePooling2D(3, stride=1, same)(x))
    }

    // Figure 5: a 5×5 window is two of 3×3.
    block grid35(pool)(x) {
        a = conv(64, 1)(x);
        b = conv(64, 5)(conv(48, 1)(x));
        c = conv(96, 3)(conv(96, 3)(conv(64, 1)(x)));
        Concatenate()([a, b, c, pooled(pool)(x)])
    }

    // Figure 6: a 7×7 window is one of 1×7 and one of 7×1.
    block grid17(narrow)(x) {
        a = conv(192, 1)(x);
        b = conv(192, (7, 1))(conv(narrow, (1, 7))(conv(narrow, 1)(x)));
        c = conv(narrow, (1, 7))(conv(narrow, (7, 1))(conv(narrow, 1)(x)));
        c = conv(192, (1, 7))(conv(narrow, (7, 1))(c));
        Concatenate()([a, b, c, pooled(192)(x)])
    }

    block split()(x) {
        Concatenate()([conv(384, (1, 3))(x), conv(384, (3, 1))(x)])
    }

    // Figure 7: a 3×3 window is one of 1×3 beside one of 3×1.
    block grid8()(x) {
        a = conv(320, 1)(x);
        b = split()(conv(384, 1)(x));
        c = split()(conv(384, 3)(conv(448, 1)(x)));
        Concatenate()([a, b, c, pooled(192)(x)])
    }

    /// Inception-v3 without its auxiliary classifier, as Keras has it.
    pub InceptionV3 {
        i = Input(299, 299, 3);
        x = conv(32, 3, stride=2, padding=valid)(i);
        x = conv(64, 3)(conv(32, 3, padding=valid)(x));
        x = MaxPooling2D(3, stride=2)(x);
        x = conv(192, 3, padding=valid)(conv(80, 1)(x));
        x = MaxPooling2D(3, stride=2)(x);
        for pool in [32, 64, 64] {
            x = grid35(pool)(x);
        }
        a = conv(384, 3, stride=2, padding=valid)(x);
        b = conv(96, 3, stride=2, padding=valid)(conv(96, 3)(conv(64, 1)(x)));
        x = Concatenate()([a, b, MaxPooling2D(3, stride=2)(x)]);
        for narrow in [128, 160, 160, 192] {
            x = grid17(narrow)(x);
        }
        a = conv(320, 3, stride=2, padding=valid)(conv(192, 1)(x));
        b = conv(192, (7, 1))(conv(192, (1, 7))(conv(192, 1)(x)));
        b = conv(192, 3, stride=2, padding=valid)(b);
        x = Concatenate()([a, b, MaxPooling2D(3, stride=2)(x)]);
        x = grid8()(grid8()(x));
        x = GlobalAveragePooling2D()(x);
        x = Dense(1000, softmax)(x);
    }
}
