module github.com/kafkarecover/kafkarecover/test/kafka

go 1.26.0

require (
	github.com/kafkarecover/kafkarecover v0.0.0
	github.com/kafkarecover/kafkarecover/test/sandbox v0.0.0
	github.com/spf13/cobra v1.10.2
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.1.0 // indirect
)

replace (
	github.com/kafkarecover/kafkarecover => ../..
	github.com/kafkarecover/kafkarecover/test/sandbox => ../sandbox
)
