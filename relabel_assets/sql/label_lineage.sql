-- Where each grade of the teacher and the student comes from: run, model, prompt, request and document version.
with graded as (
    select
        corpus, 'teacher' as labeler, query_id, doc_id, grade, teacher_model as model, prompt_hash, request_key, 'teacher_labels' as table_name
    from teacher_labels
    union all by name
    select corpus, 'student' as labeler, query_id, doc_id, grade, model_id as model, 'student_labels' as table_name
    from student_labels
)

select
    graded.corpus, graded.labeler, graded.query_id, graded.doc_id, graded.grade, graded.model, graded.prompt_hash,
    graded.request_key, queries.content_hash as query_hash, documents.content_hash as document_hash,
    student_model.training_set_hash, made.run_id, made.written_at
from graded
left join synthetic_queries as queries using (corpus, query_id)
left join seed_docs as documents using (corpus, doc_id)
left join materializations as made using (corpus, table_name)
left join student_model on student_model.corpus = graded.corpus and student_model.model_id = graded.model
