// ----- row
return class GeneratedRow {
  constructor(v0, v1, v2, v3, v4) {
    this.id = v0
    this.channel = v1
    this.price = v2
    this.sold = v3
    this.at = v4
  }
}
