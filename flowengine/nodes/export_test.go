package nodes

// What the tests of this package look at directly.
var PointOf = pointOf

func (n *Split) Share(point float64) string { return n.share(point) }
