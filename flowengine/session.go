package flowengine

// Session is a call as a node sees it.
type Session struct{}
