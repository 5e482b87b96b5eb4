pub struct Problems;
