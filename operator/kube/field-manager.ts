/** Under this name the operator writes; the API server keeps who has set which field. */
export const FIELD_MANAGER = 'millrace-operator'
