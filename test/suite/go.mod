module github.com/kafkarecover/kafkarecover/test/suite

go 1.26.0
