// Package examples carries the example folders, so that the program can show
// itself where there is no checkout.
package examples

import "embed"

// Files holds one folder an example.
//
//go:embed */*.yaml
var Files embed.FS
