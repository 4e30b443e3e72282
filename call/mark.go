package call

import "time"

// Marks are the moments of a connection at which the outside is told that it still lasts.
var Marks = [...]time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, 45 * time.Second, 60 * time.Second}
