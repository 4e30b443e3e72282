package flowengine

// Session is a call as a node sees it.
type Session struct{}

// Check is what a Checker looks at.
type Check struct{}
