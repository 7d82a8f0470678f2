"""What a deployment costs a month, and which limit of AWS it meets first: by arithmetic from measured figures."""
