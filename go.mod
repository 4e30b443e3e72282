module github.com/hookswitch/hookswitch

go 1.26.8

require github.com/percipia/eslgo v1.5.2
