//! Residual networks: He et al., "Deep residual learning for image recognition" (2016).

use crate::model;

model! {
    block conv(filters, kernel, stride = 1)(x) {
        x = Conv2D(filters, kernel, stride=stride, same, use_bias=false)(x);
        BatchNormalization()(x)
    }

    block basic(filters, stride = 1, project = false)(x) {
        y = ReLU()(conv(filters, 3, stride=stride)(x));
        y = conv(filters, 3)(y);
        if project {
            x = conv(filters, 1, stride=stride)(x);
        }
        ReLU()(y + x)
    }

    block bottleneck(filters, stride = 1, project = false)(x) {
        y = ReLU()(conv(filters, 1)(x));
        y = ReLU()(conv(filters, 3, stride=stride)(y));
        y = conv(4 * filters, 1)(y);
        if project {
            x = conv(4 * filters, 1, stride=stride)(x);
        }
        ReLU()(y + x)
    }

    block stem()(x) {
        x = ReLU()(conv(64, 7, stride=2)(x));
        MaxPooling2D(3, stride=2, same)(x)
    }

    block head(classes)(x) {
        x = GlobalAveragePooling2D()(x);
        Dense(classes, softmax)(x)
    }

    /// 18 layers of basic blocks.
    pub ResNet18 {
        i = Input(224, 224, 3);
        x = stem()(i);
        x = basic(64)(basic(64)(x));
        for filters in [128, 256, 512] {
            x = basic(filters, stride=2, project)(x);
            x = basic(filters)(x);
        }
        x = head(1000)(x);
    }

    /// 34 layers of basic blocks.
    pub ResNet34 {
        i = Input(224, 224, 3);
        x = stem()(i);
        for _ in 0..3 {
            x = basic(64)(x);
        }
        for (filters, depth) in [(128, 4), (256, 6), (512, 3)] {
            x = basic(filters, stride=2, project)(x);
            for _ in 1..depth {
                x = basic(filters)(x);
            }
        }
        x = head(1000)(x);
    }

    /// 50 layers of bottleneck blocks, which reduce at their 3×3 convolution.
    pub ResNet50 {
        i = Input(224, 224, 3);
        x = stem()(i);
        for (filters, depth, stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
            x = bottleneck(filters, stride=stride, project)(x);
            for _ in 1..depth {
                x = bottleneck(filters)(x);
            }
        }
        x = head(1000)(x);
    }
}

model! {
    block conv(filters, stride = 1)(x) {
        x = Conv2D(filters, 3, stride=stride, same, use_bias=false)(x);
        BatchNormalization()(x)
    }

    block same_size(filters)(x) {
        y = ReLU()(conv(filters)(x));
        y = conv(filters)(y);
        ReLU()(y + x)
    }

    // The shortcut without parameters: every other pixel, and zeros for the channels that are new.
    block halved(filters)(x) {
        y = ReLU()(conv(filters, stride=2)(x));
        y = conv(filters)(y);
        x = MaxPooling2D(1, stride=2)(x);
        zeros = Subtract()([x, x]);
        ReLU()(y + Concatenate()([x, zeros]))
    }

    block stages(depth)(x) {
        x = ReLU()(conv(16)(x));
        for _ in 0..depth {
            x = same_size(16)(x);
        }
        for filters in [32, 64] {
            x = halved(filters)(x);
            for _ in 1..depth {
                x = same_size(filters)(x);
            }
        }
        x = GlobalAveragePooling2D()(x);
        Dense(10, softmax)(x)
    }

    /// 20 layers for CIFAR-10, with shortcuts that have no parameters.
    pub CifarResNet20 {
        i = Input(32, 32, 3);
        x = stages(3)(i);
    }

    /// 32 layers for CIFAR-10, with shortcuts that have no parameters.
    pub CifarResNet32 {
        i = Input(32, 32, 3);
        x = stages(5)(i);
    }

    /// 56 layers for CIFAR-10, with shortcuts that have no parameters.
    pub CifarResNet56 {
        i = Input(32, 32, 3);
        x = stages(9)(i);
    }
}
