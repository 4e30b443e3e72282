module github.com/hookswitch/hookswitch

go 1.26.8
